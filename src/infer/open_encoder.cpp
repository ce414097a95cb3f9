#include "infer/open_encoder.h"

#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "infer/load_model.h"
#include "io/files.h"
#include "models/hugging_face.h"
#include "models/rank_encoder.h"

namespace cellmill::infer {
namespace {

namespace fs = std::filesystem;

bool is_hugging_face(const fs::path& where) {
  return fs::exists(where / "config.json") && !fs::exists(where / "manifest.json");
}

OpenedEncoder open_hugging_face(const fs::path& folder, const std::string& given,
                                const std::string& device) {
  const auto file = given.empty() ? folder / models::kGenesFile : fs::path(given);
  if (!fs::exists(file))
    throw UsageError(
        fmt::format("{} names no genes: there is no {}", folder.string(), file.string()),
        "give the model's dictionary (tools/gene_dictionary makes it)", Exit::kNoInput);
  auto dictionary = data::parse_gene_dictionary(io::read_text(file), file.string());
  auto options = models::read_hugging_face_options(folder);
  options.special_tokens = dictionary.cls >= 0 && dictionary.eos >= 0;
  if (dictionary.size() > options.vocabulary)
    throw DataError({file.string(),
                     {},
                     fmt::format("at most {} tokens", options.vocabulary),
                     std::to_string(dictionary.size())},
                    "is the dictionary of another model than " + folder.string());
  auto model = std::make_unique<models::RankEncoder>(options, std::move(dictionary), nullptr,
                                                     std::nullopt, at::kFloat);
  models::read_hugging_face_weights(folder, model->network());
  OpenedEncoder opened;
  opened.where = folder;
  opened.device = pick_device(device);
  model->to(opened.device);
  opened.encoder = model.get();
  opened.model = std::move(model);
  log::info("rank_encoder of {} layers and {} tokens: {}", options.layers, options.vocabulary,
            folder.string());
  return opened;
}

}  // namespace

OpenedEncoder open_encoder(const fs::path& where, const std::string& dictionary,
                           const std::string& device) {
  if (is_hugging_face(where)) return open_hugging_face(where, dictionary, device);
  if (!dictionary.empty())
    throw UsageError("a run or checkpoint holds its own dictionary", "leave the other one out");
  auto loaded = load_model(where, device);
  auto& encoder = require<models::SequenceEncoder>(loaded, "read cells as sequences of genes");
  return {std::move(loaded.model), &encoder, loaded.checkpoint, loaded.device};
}

}  // namespace cellmill::infer
