#pragma once
// The rank encoder as a Hugging Face folder: config.json and model.safetensors of a
// BertForMaskedLM. Read: also with names without "bert.", with the tied decoder, a pooler, buffers
// of positions (these are not used), and stored in half precision. Written: float32, the decoder
// tied and so absent. Names of parameters: RankNetwork::hugging_face.
#include <filesystem>

#include "models/rank_network.h"

namespace cellmill::models {

/// The dictionary of genes beside a folder's files; ours, not Hugging Face's.
inline constexpr const char* kGenesFile = "genes.json";

/// Sizes, activation, dropout from config.json; the rest are defaults. Throws DataError: not a
/// folder of a BERT, or of one that differs (activation, relative positions, untied decoder).
RankEncoderOptions read_hugging_face_options(const std::filesystem::path& folder);

/// Copies the folder's weights into the network. Throws DataError with the tensor's name, its
/// expected and found shape. A folder may have no head of masked genes (then that keeps its
/// values, which is said); false: it had none.
bool read_hugging_face_weights(const std::filesystem::path& folder, RankNetwork& network);

/// `pad` is the token that fills shorter cells up.
void write_hugging_face(const std::filesystem::path& folder, const RankNetwork& network,
                        std::int64_t pad);

}  // namespace cellmill::models
