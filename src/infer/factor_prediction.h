#pragma once
// The metadata that a model of metadata reads from expression: cells in, structs out; no files, no
// text on any terminal. Cells are CSR batches of counts in the model's genes; their labels are not
// read. Thread-safe once the model is frozen.
#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "data/batch.h"
#include "models/metadata_model.h"

namespace cellmill::infer {

/// Cells of a dense [cells, genes] tensor of counts on the host, all labels missing; `first` is the
/// number of the first one.
data::Batch batch_of_counts(const at::Tensor& counts, std::int64_t first = 0);

/// "10 um", "45 year", as tools/harmonize_metadata writes them.
std::string text_of(double number, const std::string& unit);

struct PredictedField {
  std::string name;
  std::size_t group = 0;                 ///< of models::kMetadataGroupNames
  bool category = true;                  ///< else a number: `words` are units
  std::vector<std::string> words;        ///< columns of `probabilities`
  at::Tensor probabilities = {};         ///< [cells, words] float64, rows sum to 1
  std::vector<std::int64_t> label = {};  ///< the most probable word
  std::vector<double> probability = {};  ///< its probability
  std::vector<double> value = {};        ///< numbers: in the unit of the label
  /// "B cell", "10 um", "45 year".
  std::string text(std::size_t cell) const;
};

struct Predictions {
  std::int64_t cells = 0;
  std::vector<PredictedField> fields;                       ///< those that the model predicts
  std::array<at::Tensor, models::kMetadataGroups> latents;  ///< [cells, width] float32, width >= 0
  at::Tensor counts;  ///< [cells, genes] int64, reconstructed; undefined unless asked for
};

/// Whether to reconstruct the cells' counts too: the decoder's proportions times the cell's own
/// total, rounded.
enum class Reconstruct { kNo, kYes };

Predictions predict_metadata(models::MetadataModel& model, const data::Batch& cells,
                             Reconstruct reconstruct, c10::Device device = c10::kCPU);

/// Several batches' predictions as one; the fields are the same.
Predictions joined(std::vector<Predictions> parts);

}  // namespace cellmill::infer
