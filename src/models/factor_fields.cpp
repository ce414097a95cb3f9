#include "models/factor_fields.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "base/error.h"
#include "base/format.h"
#include "base/nearest.h"

namespace cellmill::models {
namespace {

constexpr double kLargestDeviation = 6;

std::string_view stripped(std::string_view text) {
  constexpr std::string_view kBlank = " \t\n\r\v\f";
  const auto begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) + 1 - begin);
}

bool among(const std::string& name, const std::vector<std::string>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::optional<Measure> measure_of(const FactorField& field, const std::string& text) {
  return read_measure(text, field.kind == FactorField::Kind::kAge ? "year" : "");
}

double transformed(const FactorField& field, double value) {
  return field.kind == FactorField::Kind::kAge ? value : std::log(value + 1e-6);
}

std::int64_t place_of(const std::string& word, const std::vector<std::string>& words) {
  return std::lower_bound(words.begin(), words.end(), word) - words.begin();
}

std::vector<std::string> words_of(const FactorField& field, const data::Field& texts) {
  std::set<std::string> words;
  for (const auto& text : texts.categories) {
    if (!field.is_category()) {
      if (const auto measure = measure_of(field, text)) words.insert(measure->unit);
      continue;
    }
    for (const auto& word : models::words_of(text)) words.insert(word);
  }
  return {words.begin(), words.end()};
}

at::Tensor word_places(const FactorField& field, const data::Field& texts) {
  std::vector<std::vector<std::string>> words;
  std::size_t most = 1;
  for (const auto& text : texts.categories) {
    words.push_back(models::words_of(text));
    most = std::max(most, words.back().size());
  }
  auto places =
      at::full({static_cast<std::int64_t>(words.size()) + 1, static_cast<std::int64_t>(most)},
               field.size(), at::kLong);
  auto* place = places.mutable_data_ptr<std::int64_t>();
  for (std::size_t t = 0; t < words.size(); ++t)
    for (std::size_t k = 0; k < words[t].size(); ++k)
      place[t * most + k] = place_of(words[t][k], field.words);
  return places;
}

FactorField made(const std::string& name, std::size_t group, const FactorFieldOptions& options,
                 const data::Field& texts, std::int64_t column, at::ScalarType dtype) {
  FactorField field;
  field.name = name;
  field.group = group;
  if (among(name, options.numbers)) field.kind = FactorField::Kind::kNumber;
  if (among(name, options.ages)) field.kind = FactorField::Kind::kAge;
  field.classified = !among(name, options.prior_only);
  field.column = column;
  field.words = words_of(field, texts);
  const auto count = static_cast<std::int64_t>(texts.categories.size());
  if (field.is_category()) {
    field.table = word_places(field, texts);
    if (options.min_count > 1) field.known = at::ones({field.size()}, dtype);
    return field;
  }
  field.table = at::zeros({count + 1, field.width()}, dtype);
  field.spread = at::zeros({field.size(), 2}, dtype);
  fit_number(field, texts, at::ones({count}, at::kDouble));
  return field;
}

}  // namespace

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find('|', begin), text.size());
    if (const auto word = stripped(text.substr(begin, end - begin)); !word.empty())
      words.emplace_back(word);
    begin = end + 1;
  }
  return words;
}

std::optional<Measure> read_measure(std::string_view text, std::string_view assumed) {
  text = stripped(text);
  Measure measure{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), measure.value);
  if (error != std::errc() || !std::isfinite(measure.value) || measure.value < 0) return {};
  const auto rest = text.substr(static_cast<std::size_t>(end - text.data()));
  const auto unit = stripped(rest);
  if (unit.empty() ? assumed.empty() : unit.data() == rest.data()) return {};  // "10um"
  measure.unit = unit.empty() ? assumed : unit;
  return measure;
}

std::vector<FactorField> factor_fields(const FactorFieldOptions& options,
                                       const data::Vocabulary& vocabulary, at::ScalarType dtype) {
  const std::array<const std::vector<std::string>*, kFactorGroups> groups = {
      &options.biological, &options.technical, &options.perturbation};
  std::vector<FactorField> fields;
  std::set<std::string> placed;
  for (std::size_t g = 0; g < kFactorGroups; ++g) {
    for (const auto& name : *groups[g]) {
      if (!placed.insert(name).second)
        throw UsageError("model.factor_model.fields: '" + name + "' is named twice",
                         "a field belongs to one group", Exit::kConfig);
      const auto found = std::find_if(vocabulary.fields.begin(), vocabulary.fields.end(),
                                      [&](const auto& field) { return field.name == name; });
      if (found == vocabulary.fields.end()) continue;
      auto field = made(name, g, options, *found, found - vocabulary.fields.begin(), dtype);
      if (field.size() > 0) fields.push_back(std::move(field));
    }
  }
  for (const auto& field : vocabulary.fields) {
    if (placed.contains(field.name)) continue;
    throw UsageError(
        "model.factor_model.fields: the data's field '" + field.name + "' is in no group",
        "name it in biological, technical or perturbation, or leave it out of "
        "data.fields",
        Exit::kConfig);
  }
  return fields;
}

void fit_number(FactorField& field, const data::Field& texts, const at::Tensor& cells) {
  const auto counts = cells.cpu();
  const auto* count = counts.const_data_ptr<double>();
  const auto units = static_cast<std::size_t>(field.size());
  std::vector<std::optional<Measure>> measures;
  for (const auto& text : texts.categories) measures.push_back(measure_of(field, text));
  std::vector<double> n(units), sum(units), square(units);
  const auto each = [&](const auto& f) {
    for (std::size_t t = 0; t < measures.size(); ++t)
      if (measures[t])
        f(t, static_cast<std::size_t>(place_of(measures[t]->unit, field.words)),
          transformed(field, measures[t]->value));
  };
  each([&](std::size_t t, std::size_t u, double v) { n[u] += count[t], sum[u] += count[t] * v; });
  for (std::size_t u = 0; u < units; ++u) sum[u] /= std::max(n[u], 1.);
  each([&](std::size_t t, std::size_t u, double v) {
    square[u] += count[t] * (v - sum[u]) * (v - sum[u]);
  });
  auto spread = at::empty({field.size(), 2}, at::kDouble);
  auto table = at::zeros(field.table.sizes(), at::kDouble);
  for (std::size_t u = 0; u < units; ++u) {
    const double deviation = std::sqrt(square[u] / std::max(n[u], 1.));
    square[u] = deviation > 1e-6 ? deviation : 1;
    spread[static_cast<std::int64_t>(u)][0] = sum[u];
    spread[static_cast<std::int64_t>(u)][1] = square[u];
  }
  each([&](std::size_t t, std::size_t u, double v) {
    auto row = table[static_cast<std::int64_t>(t)];
    row[static_cast<std::int64_t>(u)] = 1;
    row[-1] = std::clamp((v - sum[u]) / square[u], -kLargestDeviation, kLargestDeviation);
  });
  field.spread.copy_(spread);
  field.table.copy_(table);
}

void keep_frequent(FactorField& field, const at::Tensor& cells, std::int64_t min_count) {
  if (!field.known.defined()) return;
  const auto places =
      field.table.slice(0, 0, field.texts());  // a text has a word once or not at all
  const auto of_text = cells.to(places.device()).unsqueeze(1).expand_as(places);
  const auto of_word = at::zeros({field.size() + 1}, of_text.options())
                           .index_add_(0, places.flatten(), of_text.flatten())
                           .narrow(0, 0, field.size());
  field.known.copy_(of_word >= min_count);
}

std::optional<std::string> problem_of(const FactorField& field, const std::string& text) {
  if (stripped(text).empty()) return {};
  const auto unknown = [&](const std::string& word) {
    const auto place = place_of(word, field.words);
    return place == field.size() || field.words[static_cast<std::size_t>(place)] != word ||
           (field.known.defined() && field.known[place].item<double>() == 0);
  };
  const auto among_these = [&](const std::string& word) {
    const auto nearest = did_you_mean(word, field.words);
    return nearest.empty() ? std::string() : "; " + nearest;
  };
  if (field.is_category()) {
    for (const auto& word : models::words_of(text))
      if (unknown(word))
        return fmt::format("'{}' is not a value of {} that the model knows{}", word, field.name,
                           among_these(word));
    return {};
  }
  const auto measure = measure_of(field, text);
  if (!measure) return fmt::format("'{}' is no number with a unit, such as '10 um'", text);
  if (!unknown(measure->unit)) return {};
  return fmt::format("the unit '{}' is none that the model knows: {}", measure->unit,
                     fmt::join(field.words, ", "));
}

at::Tensor encoded(const FactorField& field, const std::vector<std::string>& texts,
                   at::ScalarType dtype) {
  const auto spread =
      field.spread.defined() ? field.spread.to(at::kCPU, at::kDouble) : at::Tensor();
  auto rows = at::zeros({static_cast<std::int64_t>(texts.size()), field.width()}, at::kDouble);
  auto* row = rows.mutable_data_ptr<double>();
  for (const auto& text : texts) {
    if (field.is_category()) {
      for (const auto& word : models::words_of(text)) row[place_of(word, field.words)] = 1;
    } else if (const auto measure = measure_of(field, text)) {
      const auto unit = place_of(measure->unit, field.words);
      row[unit] = 1;
      row[field.size()] =
          std::clamp((transformed(field, measure->value) - spread[unit][0].item<double>()) /
                         spread[unit][1].item<double>(),
                     -kLargestDeviation, kLargestDeviation);
    }
    row += field.width();
  }
  return rows.to(dtype);
}

at::Tensor unscaled(const FactorField& field, const at::Tensor& value) {
  const auto raw = value.unsqueeze(1) * field.spread.select(1, 1) + field.spread.select(1, 0);
  if (field.kind == FactorField::Kind::kAge) return at::clamp_min(raw, 0);
  return at::clamp_min(at::exp(raw) - 1e-6, 0);
}

at::Tensor encoded(const FactorField& field, const at::Tensor& codes, at::ScalarType dtype) {
  const auto rows = field.table.index_select(0, codes.masked_fill(codes < 0, field.texts()));
  if (!field.is_category()) return rows;
  const auto words = at::zeros({codes.size(0), field.size() + 1}, rows.options().dtype(dtype))
                         .scatter_(1, rows, 1)
                         .narrow(1, 0, field.size());
  return field.known.defined() ? words * field.known : words;
}

}  // namespace cellmill::models
