#pragma once
// A trained encoder as others load it: a Hugging Face folder (config.json, model.safetensors) with
// its genes (genes.json) beside them, which infer/open_encoder.h takes back.
#include <filesystem>

namespace cellmill::infer {

/// Of a run or checkpoint. `folder` must not exist; it is there whole or not at all. Returns the
/// checkpoint. Throws UsageError for a model that is no encoder.
std::filesystem::path export_encoder(const std::filesystem::path& where,
                                     const std::filesystem::path& folder);

}  // namespace cellmill::infer
