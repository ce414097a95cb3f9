#include "infer/metadata_answer.h"

#include <ATen/ATen.h>

#include <map>

#include "infer/api_names.h"
#include "infer/load_model.h"
#include "io/json.h"

namespace cellmill::infer {
namespace {

using io::Json;

std::vector<float> as_floats(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}

template <class T>
Json row_of(const at::Tensor& rows, std::int64_t row) {
  const auto own = rows[row].to(c10::CppTypeToScalarType<T>::value).contiguous();
  return std::vector<T>(own.template const_data_ptr<T>(),
                        own.template const_data_ptr<T>() + own.numel());
}

Json latents_of(const std::array<at::Tensor, models::kMetadataGroups>& latents, std::int64_t row) {
  Json json;
  for (std::size_t g = 0; g < latents.size(); ++g)
    json[models::kMetadataGroupNames[g]] = row_of<float>(latents[g], row);
  return json;
}

Json answer_of(const ModelFacts& model, bool genes) {
  Json json;
  if (genes) json["gene_order"] = model.genes;
  json["model_version"] = model.version;
  json["outputs"] = Json::array();
  return json;
}

}  // namespace

Column text_column(const std::string& name, const std::vector<std::string>& texts) {
  Categorical column;
  std::map<std::string, std::int32_t> code;
  for (const auto& text : texts)
    if (!text.empty()) code.emplace(text, 0);
  for (auto& [text, place] : code) {
    place = static_cast<std::int32_t>(column.categories.size());
    column.categories.push_back(text);
  }
  for (const auto& text : texts) column.codes.push_back(text.empty() ? -1 : code.at(text));
  return {name, std::move(column)};
}

void add_predictions(Annotations& to, const Predictions& predictions, Distribution distribution) {
  for (const auto& field : predictions.fields) {
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < field.label.size(); ++i) texts.push_back(field.text(i));
    to.obs.push_back(text_column("predicted_" + field.name, texts));
    to.obs.push_back({"predicted_" + field.name + "_probability", as_floats(field.probability)});
    if (distribution == Distribution::kYes)
      to.obsm.push_back({"probability_" + field.name, field.words, field.probabilities});
  }
  for (std::size_t g = 0; g < models::kMetadataGroups; ++g) {
    const auto width = predictions.latents[g].defined() ? predictions.latents[g].size(1) : 0;
    if (width == 0) continue;
    std::vector<std::string> columns;
    for (std::int64_t i = 0; i < width; ++i) columns.push_back(std::to_string(i));
    to.obsm.push_back(
        {std::string("X_") + models::kMetadataGroupNames[g], columns, predictions.latents[g]});
  }
}

void add_rolled_up(Annotations& to, const std::string& field, const RolledUp& rolled_up) {
  const auto name = "rolled_up_" + field;
  to.obs.push_back(text_column(name, rolled_up.term));
  to.obs.push_back(text_column(name + "_name", rolled_up.name));
  to.obs.push_back({name + "_probability", as_floats(rolled_up.probability)});
}

void add_completed(Annotations& to, const std::vector<CompletedField>& fields) {
  for (const auto& field : fields) {
    to.obs.push_back(text_column(field.name, field.text));
    to.obs.push_back(text_column(field.name + "_source", field.source));
    to.obs.push_back({field.name + "_confidence", as_floats(field.confidence)});
  }
}

ModelFacts facts_of(const LoadedModel& loaded) {
  return {loaded.vocabulary.genes, loaded.model->name() + "-" + std::to_string(loaded.step)};
}

std::string json_of(const Predictions& predictions, const ModelFacts& model) {
  auto json = answer_of(model, predictions.counts.defined());
  for (std::int64_t i = 0; i < predictions.cells; ++i) {
    Json output;
    for (const auto& field : predictions.fields) {
      output["metadata"][api_name(field.name)] = field.text(static_cast<std::size_t>(i));
      auto& probabilities = output["classifier_probs"][field.name];
      for (std::size_t w = 0; w < field.words.size(); ++w)
        probabilities[field.words[w]] =
            field.probabilities[i][static_cast<std::int64_t>(w)].item<double>();
    }
    output["latents"] = latents_of(predictions.latents, i);
    if (predictions.counts.defined())
      output["decoder_sample"]["counts"] = row_of<std::int64_t>(predictions.counts, i);
    json["outputs"].push_back(std::move(output));
  }
  return json.dump();
}

std::string json_of(const Generated& generated, const std::vector<GenerationInput>& inputs,
                    const ModelFacts& model) {
  auto json = answer_of(model, true);
  for (std::size_t i = 0; i < generated.input.size(); ++i) {
    Json output;
    output["counts"] = row_of<std::int64_t>(generated.counts, static_cast<std::int64_t>(i));
    output["metadata"] = Json::object();
    for (const auto& [name, text] : inputs[generated.input[i]].metadata)
      output["metadata"][api_name(name)] = text;
    output["latents"] = latents_of(generated.latents, static_cast<std::int64_t>(i));
    json["outputs"].push_back(std::move(output));
  }
  return json.dump();
}

}  // namespace cellmill::infer
