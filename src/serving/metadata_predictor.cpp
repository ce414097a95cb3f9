#include "serving/metadata_predictor.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <tuple>

#include "base/format.h"
#include "data/batch.h"
#include "infer/answer_parts.h"
#include "infer/api_names.h"
#include "infer/factor_prediction.h"
#include "infer/generation.h"
#include "infer/load_model.h"
#include "io/digest.h"
#include "models/metadata_model.h"

namespace cellmill::serving {
namespace {

using Kind = models::MetadataField::Kind;

serve::FieldFacts facts_of(const models::MetadataField& field) {
  serve::FieldFacts facts{field.name,
                          infer::api_name(field.name),
                          field.group,
                          field.kind == Kind::kCategory ? serve::FieldFacts::Kind::kCategory
                                                        : serve::FieldFacts::Kind::kNumber,
                          field.words,
                          field.predicted && field.kind == Kind::kCategory};
  if (field.kind == Kind::kAge) facts.labels.insert(facts.labels.begin(), "");  // "45" is years
  return facts;
}

/// [rows] of lists of genes and counts as a batch.
template <class Row>
data::Batch batch_of(const std::vector<const Row*>& rows,
                     const serve::Counts& (*counts)(const Row&), std::int64_t genes) {
  std::int64_t entries = 0;
  for (const Row* row : rows) entries += std::ssize(counts(*row).genes);
  data::Batch batch;
  const auto size = static_cast<std::int64_t>(rows.size());
  batch.indptr = at::empty({size + 1}, at::kLong);
  batch.indices = at::empty({entries}, at::kInt);
  batch.values = at::empty({entries}, at::kFloat);
  batch.labels = at::empty({size, 0}, at::kLong);
  batch.genes = genes;
  batch.cells = at::arange(size);
  auto* begin = batch.indptr.mutable_data_ptr<std::int64_t>();
  auto* index = batch.indices.mutable_data_ptr<std::int32_t>();
  auto* value = batch.values.mutable_data_ptr<float>();
  *begin = 0;
  for (const Row* row : rows) {
    const auto& [places, values] = counts(*row);
    index = std::copy(places.begin(), places.end(), index);
    value = std::copy(values.begin(), values.end(), value);
    begin[1] = begin[0] + std::ssize(places);
    ++begin;
  }
  return batch;
}

std::vector<float> row_of(const at::Tensor& table, std::int64_t row) {
  const auto* from = table.const_data_ptr<float>() + row * table.size(1);
  return {from, from + table.size(1)};
}

at::Tensor on_host(const at::Tensor& table) {
  return table.defined() ? table.to(at::kCPU, at::kFloat).contiguous() : table;
}

std::vector<std::int32_t> whole(const double* from, std::int64_t genes, double factor) {
  std::vector<std::int32_t> counts(static_cast<std::size_t>(genes));
  for (auto& count : counts)
    count = static_cast<std::int32_t>(
        std::min(std::nearbyint(*from++ * factor),
                 static_cast<double>(std::numeric_limits<std::int32_t>::max())));
  return counts;
}

class MetadataPredictor final : public serve::Predictor {
 public:
  MetadataPredictor(infer::LoadedModel loaded, models::MetadataModel& model)
      : loaded_(std::move(loaded)), model_(model) {
    model_.freeze();
    const std::string manifest = io::digest_file(loaded_.checkpoint / "manifest.json");
    facts_.version =
        fmt::format("{}-{}-{}", loaded_.model->name(), loaded_.step, manifest.substr(0, 12));
    facts_.gene_order = loaded_.vocabulary.genes;
    for (const auto& field : model_.metadata_fields()) facts_.fields.push_back(facts_of(field));
    facts_.bulk = model_.modality() == "bulk";
    facts_.total_count = infer::default_total_count(model_);
  }

  const serve::ModelFacts& facts() const override { return facts_; }

  std::vector<serve::Prediction> answer(const serve::Rows& rows) override {
    if (const auto* profiles = std::get_if<std::vector<serve::Profile>>(&rows))
      return predicted(*profiles);
    return generated(std::get<std::vector<serve::Wanted>>(rows));
  }

 private:
  std::int64_t genes() const { return static_cast<std::int64_t>(facts_.gene_order.size()); }

  std::vector<serve::Prediction> predicted(const std::vector<serve::Profile>& profiles) {
    std::vector<const serve::Profile*> rows;
    for (const auto& each : profiles) rows.push_back(&each);
    const auto batch = batch_of<serve::Profile>(
        rows, [](const auto& row) -> const serve::Counts& { return row.counts; }, genes());
    const at::NoGradGuard no_gradients;
    auto reading = model_.read_metadata(infer::on_device(batch, loaded_.device),
                                        models::ReadMode::kLabelsAndExpression);
    for (auto* tables : {&reading.probabilities, &reading.values})
      for (auto& table : *tables) table = on_host(table);
    for (auto& table : reading.latents) table = on_host(table);
    auto counts = model_.expected_counts(reading);
    std::vector<serve::Prediction> out(profiles.size());
    for (std::size_t i = 0; i < out.size(); ++i) {
      const auto row = static_cast<std::int64_t>(i);
      for (std::size_t f = 0; f < facts_.fields.size(); ++f) read_field(out[i], reading, f, row);
      take_latents(out[i], reading.latents, row);
      out[i].counts = std::move(counts[i]);
    }
    return out;
  }

  void read_field(serve::Prediction& out, const models::MetadataReading& reading, std::size_t field,
                  std::int64_t row) const {
    out.probabilities.emplace_back();
    out.values.emplace_back();
    if (!reading.probabilities[field].defined()) return;
    auto probabilities = row_of(reading.probabilities[field], row);
    const auto& asked = model_.metadata_fields()[field];
    if (asked.kind == Kind::kCategory) {
      out.probabilities.back() = std::move(probabilities);
      return;
    }
    if (probabilities.empty()) return;
    const auto unit =
        std::max_element(probabilities.begin(), probabilities.end()) - probabilities.begin();
    const float value = row_of(reading.values[field], row)[static_cast<std::size_t>(unit)];
    out.values.back() = infer::text_of(value, asked.words[static_cast<std::size_t>(unit)]);
  }

  static void take_latents(serve::Prediction& out,
                           const std::array<at::Tensor, models::kMetadataGroups>& latents,
                           std::int64_t row) {
    for (std::size_t g = 0; g < latents.size(); ++g)
      if (latents[g].defined()) out.latents[g] = row_of(latents[g], row);
  }

  /// A recipe has one way for all its rows, so rows go by their ways.
  std::vector<serve::Prediction> generated(const std::vector<serve::Wanted>& wanted) {
    using Way = std::tuple<bool, std::array<bool, 3>, bool>;
    std::map<Way, std::vector<std::size_t>> ways;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const auto& row = wanted[i];
      ways[{!row.reference.genes.empty(), row.from_reference, row.deterministic_latents}].push_back(
          i);
    }
    std::vector<serve::Prediction> out(wanted.size());
    for (const auto& [way, places] : ways) generate(wanted, places, out);
    return out;
  }

  void generate(const std::vector<serve::Wanted>& wanted, const std::vector<std::size_t>& places,
                std::vector<serve::Prediction>& out) {
    const at::NoGradGuard no_gradients;
    models::Recipe recipe;
    std::vector<const serve::Wanted*> rows;
    std::vector<double> totals;
    std::vector<std::uint64_t> seeds;
    for (const std::size_t i : places) {
      rows.push_back(&wanted[i]);
      totals.push_back(wanted[i].total_count);
      seeds.push_back(wanted[i].seed);
      auto& sample = recipe.metadata.emplace_back();
      for (const auto& [field, text] : wanted[i].metadata)
        sample[model_.metadata_fields()[field].name] = text;
    }
    if (!rows[0]->deterministic_latents) recipe.seeds = seeds;
    data::Batch reference;
    if (!rows[0]->reference.genes.empty()) {
      reference = infer::on_device(
          batch_of<serve::Wanted>(
              rows, [](const auto& row) -> const serve::Counts& { return row.reference; }, genes()),
          loaded_.device);
      recipe.reference = &reference;
      recipe.from_reference = rows[0]->from_reference;
    }
    auto draft = model_.generate(recipe);
    for (auto& table : draft.latents) table = on_host(table);
    const bool noise = std::any_of(rows.begin(), rows.end(), [](auto* row) { return row->noise; });
    const auto means = model_.proportions(draft.decoded).cpu().contiguous();
    const auto drawn =
        noise ? model_.draw(draft.decoded, totals, seeds).contiguous() : at::Tensor();
    for (std::size_t k = 0; k < places.size(); ++k) {
      const auto row = static_cast<std::int64_t>(k);
      serve::Prediction& answer = out[places[k]];
      answer.probabilities.resize(facts_.fields.size());
      take_latents(answer, draft.latents, row);
      const auto& from = rows[k]->noise ? drawn : means;
      answer.counts = whole(from.const_data_ptr<double>() + row * genes(), genes(),
                            rows[k]->noise ? 1 : totals[k]);
    }
  }

  const infer::LoadedModel loaded_;
  models::MetadataModel& model_;
  serve::ModelFacts facts_;
};

}  // namespace

std::unique_ptr<serve::Predictor> load_predictor(const std::filesystem::path& where,
                                                 const std::string& device) {
  infer::LoadedModel loaded = infer::load_model(where, device);
  auto& model = infer::require<models::MetadataModel>(loaded, "predict metadata");
  return std::make_unique<MetadataPredictor>(std::move(loaded), model);
}

}  // namespace cellmill::serving
