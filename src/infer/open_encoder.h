#pragma once
// A trained encoder of token sequences, wherever it stands: in a run or checkpoint of cellmill,
// which holds its dictionary, or in a Hugging Face folder (config.json, model.safetensors).
#include <c10/core/Device.h>

#include <filesystem>
#include <memory>
#include <string>

#include "models/model.h"
#include "models/sequence_encoder.h"

namespace cellmill::infer {

struct OpenedEncoder {
  std::unique_ptr<models::Model> model;
  models::SequenceEncoder* encoder = nullptr;  ///< the same model
  std::filesystem::path where;                 ///< the checkpoint, or the folder
  c10::Device device = c10::kCPU;
};

/// `dictionary`: the file of a Hugging Face folder's genes; empty: genes.json in the folder. Its
/// cells have <cls> and <eos> if the dictionary has both (V2). `device`: auto, cpu or cuda. Throws
/// UsageError: a model that is no encoder, a folder without a dictionary, a checkpoint with one
/// more; DataError for what is wrong with the files.
OpenedEncoder open_encoder(const std::filesystem::path& where, const std::string& dictionary,
                           const std::string& device);

}  // namespace cellmill::infer
