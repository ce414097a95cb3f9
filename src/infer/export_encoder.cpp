#include "infer/export_encoder.h"

#include "base/error.h"
#include "infer/load_model.h"
#include "io/files.h"
#include "models/hugging_face.h"
#include "models/rank_encoder.h"

namespace cellmill::infer {

namespace fs = std::filesystem;

fs::path export_encoder(const fs::path& where, const fs::path& folder) {
  if (fs::exists(folder))
    throw UsageError(folder.string() + " is there already", "name a folder that is to be made");
  auto loaded = load_model(where, "cpu");
  auto& encoder = require<models::RankEncoder>(loaded, "be written as a Hugging Face folder");
  io::publish_folder(folder, [&](const fs::path& temporary) {
    models::write_hugging_face(temporary, encoder.network(), encoder.dictionary().pad);
    io::write_text_atomically(temporary / models::kGenesFile, data::text_of(encoder.dictionary()));
  });
  return loaded.checkpoint;
}

}  // namespace cellmill::infer
