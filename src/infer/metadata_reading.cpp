#include "infer/metadata_reading.h"

namespace cellmill::infer {

models::MetadataModel& metadata_model(LoadedModel& loaded) {
  auto& model = require<models::MetadataModel>(loaded, "read or generate metadata");
  model.freeze();
  return model;
}

ReadSamples read_samples(LoadedModel& loaded, Input& input, Reconstruct reconstruct) {
  auto& model = metadata_model(loaded);
  ReadSamples all;
  for (std::size_t f = 0; f < input.fields().size(); ++f)
    if (input.has_field(f)) all.given.push_back({input.fields()[f], {}});
  std::vector<Predictions> parts;
  while (const auto cells = input.next()) {
    parts.push_back(predict_metadata(model, cells->batch, reconstruct, loaded.device));
    all.watched.insert(all.watched.end(), cells->watched.begin(), cells->watched.end());
    const std::size_t fields = input.fields().size();
    for (std::size_t f = 0, g = 0; f < fields; ++f) {
      if (!input.has_field(f)) continue;
      auto& codes = all.given[g++].codes;
      for (std::size_t i = f; i < cells->own.size(); i += fields) codes.push_back(cells->own[i]);
    }
  }
  all.predictions = joined(std::move(parts));
  return all;
}

std::vector<std::string> ReadSamples::given_texts(const std::string& field) const {
  std::vector<std::string> texts(static_cast<std::size_t>(predictions.cells));
  for (const auto& labels : given) {
    if (labels.field.name != field) continue;
    for (std::size_t i = 0; i < texts.size(); ++i)
      if (labels.codes[i] >= 0)
        texts[i] = labels.field.categories[static_cast<std::size_t>(labels.codes[i])];
  }
  return texts;
}

}  // namespace cellmill::infer
