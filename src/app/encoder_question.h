#pragma once
// What every command that asks a sequence encoder takes: MODEL and DATA, which hidden state, and
// how it is computed. `declare...` in the order in which --help shows them.
#include <cstdint>
#include <string>

#include "comm/world.h"
#include "config/command_line.h"
#include "infer/cell_sequences.h"
#include "infer/open_encoder.h"
#include "infer/pooling.h"

namespace cellmill::app {

struct EncoderQuestion {
  std::string model, output, dictionary, device = "auto";
  std::string convention = "upstream", mode = "cell", precision = "float32";
  std::int64_t emb_layer = -1;
  infer::CellsOptions cells;

  void declare_data(config::CommandLine& line);
  void declare_layer(config::CommandLine& line);
  /// `gene_names` is the option that names the genes of an npz.
  void declare_cells(config::CommandLine& line, const std::string& gene_names);
  void declare_model(config::CommandLine& line);

  /// Throws UsageError if the answer would overwrite the cells.
  void check() const;
  /// Of a model of so many layers. Throws UsageError for a layer that it does not have.
  std::int64_t hidden_state(std::int64_t layers) const;
  at::ScalarType dtype() const;
  infer::OpenedEncoder open(comm::World& world) const;
};

}  // namespace cellmill::app
