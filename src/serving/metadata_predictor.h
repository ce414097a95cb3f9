#pragma once
// A trained model of metadata as the service asks it: its fields under the names of the protocol,
// rows as batches, tensors as values. The metadata of a sample are read from the means of its
// latents, and its counts are what these decode to at the sample's own depth: a seed changes
// nothing there. Rows to generate follow their own seeds.
#include <filesystem>
#include <memory>
#include <string>

#include "serve/predictor.h"

namespace cellmill::serving {

/// Of a checkpoint, a run folder or its checkpoints/; `device`: auto, cpu or cuda. Throws what
/// infer::load_model throws, UsageError for a model without metadata.
std::unique_ptr<serve::Predictor> load_predictor(const std::filesystem::path& where,
                                                 const std::string& device);

}  // namespace cellmill::serving
