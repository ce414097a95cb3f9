#pragma once
// New expression for every cell of an input under other contexts, and how the generated cells
// compare with real ones of that context where the data have them.
#include <map>
#include <string>
#include <vector>

#include "infer/comparison.h"
#include "infer/input.h"
#include "infer/load_model.h"
#include "infer/result_file.h"

namespace cellmill::infer {

struct CounterfactualOptions {
  std::vector<std::string> set_context;  ///< "field=value"
  std::string read_out = "delta";        ///< delta | direct
  std::vector<std::string> match;        ///< fields that make up a type; empty: all unchanged ones
  double min_cells = 20;                 ///< scored real cells of each side that a figure needs
};

struct CounterfactualAnswer {
  std::string request;  ///< "cell_type=beta, sex=female"
  std::string read_out;
  std::string match;  ///< the fields that make up a type
  std::int64_t cells = 0;
  std::int64_t changed = 0;                  ///< had another value in a requested field
  std::int64_t unchanged = 0;                ///< were of the wanted context already
  std::int64_t unknown = 0;                  ///< have no label in a requested field
  std::map<std::string, std::int64_t> from;  ///< cells by "field=value" that was replaced
  ComparisonReport comparison;
};

/// Reads `input` to its end, writes X, obs (the context that X stands for, `source_FIELD` for what
/// was, `changed`) and var to `output`, without finishing it. `reference` (may be null) holds real
/// cells for the comparison alone.
struct CounterfactualTask {
  LoadedModel& loaded;
  Input& input;
  Input* reference;
  ResultFile& output;
};
CounterfactualAnswer generate(const CounterfactualTask& task, const CounterfactualOptions& options,
                              Annotations& annotations);

/// What was changed, then the scores as an aligned table.
std::string text_of(const CounterfactualAnswer& answer);
/// Everything, with every type, as JSON; written whole or not at all.
void write_report(const std::string& path, const CounterfactualAnswer& answer);

}  // namespace cellmill::infer
