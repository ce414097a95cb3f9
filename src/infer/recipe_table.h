#pragma once
// What to generate, as a table of text: a column a metadata field (by its own or the prediction
// API's name), a row an input; a column `num_samples`, if there is one.
#include <filesystem>
#include <vector>

#include "infer/generation.h"

namespace cellmill::infer {

/// Throws DataError with file and line for what is no such table or names no field of the model.
std::vector<GenerationInput> read_recipes(const std::filesystem::path& file,
                                          const models::MetadataModel& model);

/// "field=value" texts as the metadata of one input. Throws UsageError.
models::Metadata parse_metadata(const std::vector<std::string>& settings,
                                const models::MetadataModel& model);

}  // namespace cellmill::infer
