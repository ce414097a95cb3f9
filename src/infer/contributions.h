#pragma once
// What each head of an additive model contributes to each cell, at the cell's own contexts.
#include <string>
#include <vector>

#include "infer/input.h"
#include "infer/load_model.h"
#include "infer/result_file.h"

namespace cellmill::infer {

struct HeadSummary {
  std::string head;
  double mean = 0, low = 0, high = 0;  ///< of the L2 norms over cells
};

/// Matrices that `contribute` appends with `logits`: "X" (the sum) and one layer a head.
std::vector<std::string> contribution_matrices(LoadedModel& loaded, bool logits);

/// Reads the input to its end. obs: labels and `norm_HEAD`; obsm "head_norms"; with matrices in
/// `output`'s layout the additive terms themselves.
std::vector<HeadSummary> contribute(LoadedModel& loaded, Input& input, ResultFile& output,
                                    bool logits, Annotations& annotations);
std::string text_of(const std::vector<HeadSummary>& heads);

}  // namespace cellmill::infer
