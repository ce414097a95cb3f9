#pragma once
// A whole input read by a model of metadata: what it predicts of every sample, beside the labels
// that the input has.
#include <vector>

#include "infer/factor_prediction.h"
#include "infer/input.h"
#include "infer/load_model.h"
#include "infer/metadata_completion.h"

namespace cellmill::infer {

/// The model as one of metadata, frozen. Throws UsageError that names the models that are.
models::MetadataModel& metadata_model(LoadedModel& loaded);

struct ReadSamples {
  Predictions predictions;
  std::vector<GivenLabels> given;  ///< of the fields that the input has
  std::vector<double> watched;     ///< as Cells::watched, of all
  /// Texts of one field's given labels; empty where missing.
  std::vector<std::string> given_texts(const std::string& field) const;
};

/// Reads the input to its end; in memory: the answers, not the expression, unless reconstructed.
ReadSamples read_samples(LoadedModel& loaded, Input& input, Reconstruct reconstruct);

}  // namespace cellmill::infer
