#include "infer/metadata_completion.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <optional>

#include "base/format.h"
#include "io/csv.h"
#include "models/factor_fields.h"

namespace cellmill::infer {
namespace {

const GivenLabels* labels_of(const std::string& field, const std::vector<GivenLabels>& given) {
  for (const auto& labels : given)
    if (labels.field.name == field) return &labels;
  return nullptr;
}

std::string given_text(const GivenLabels* labels, std::size_t sample) {
  if (!labels || labels->codes[sample] < 0) return {};
  return labels->field.categories[static_cast<std::size_t>(labels->codes[sample])];
}

/// Places of a text's words among the field's; nothing where one is not known.
std::optional<std::vector<std::int64_t>> places_of(const PredictedField& field,
                                                   const std::string& text) {
  std::vector<std::string> words = models::words_of(text);
  if (!field.category) {
    const auto measure =
        models::read_measure(text, field.words.size() == 1 ? field.words.front() : "");
    if (!measure) return {};
    words = {measure->unit};
  }
  std::vector<std::int64_t> places;
  for (const auto& word : words) {
    const auto found = std::find(field.words.begin(), field.words.end(), word);
    if (found == field.words.end()) return {};
    places.push_back(found - field.words.begin());
  }
  return places;
}

/// What the model thinks of a given label.
struct Judged {
  double probability = 0;
  bool agrees = false;
};
std::optional<Judged> judged(const PredictedField& field, const std::string& text,
                             std::size_t sample) {
  const auto places = places_of(field, text);
  if (!places || places->empty()) return {};
  Judged answer;
  const auto row = field.probabilities[static_cast<std::int64_t>(sample)];
  for (const auto place : *places) {
    answer.probability += row[place].item<double>();
    answer.agrees = answer.agrees || place == field.label[sample];
  }
  return answer;
}

}  // namespace

std::vector<CompletedField> complete(const Predictions& predictions,
                                     const std::vector<GivenLabels>& given, double min_confidence) {
  std::vector<CompletedField> completed;
  for (const auto& field : predictions.fields) {
    CompletedField out;
    out.name = field.name;
    const auto* labels = labels_of(field.name, given);
    for (std::size_t i = 0; i < static_cast<std::size_t>(predictions.cells); ++i) {
      const auto own = given_text(labels, i);
      double confidence = field.probability[i];
      if (!own.empty()) {
        const auto judgement = judged(field, own, i);
        ++out.given;
        out.known += judgement.has_value();
        out.agree += judgement && judgement->agrees;
        confidence = judgement ? judgement->probability : 0;
      }
      const bool sure = own.empty() && confidence >= min_confidence;
      out.filled += sure;
      out.unsure += own.empty() && !sure;
      out.text.push_back(!own.empty() ? own : sure ? field.text(i) : std::string());
      out.source.push_back(!own.empty() ? "given" : sure ? "predicted" : "missing");
      out.confidence.push_back(confidence);
    }
    completed.push_back(std::move(out));
  }
  return completed;
}

std::string text_of(const std::vector<CompletedField>& fields) {
  std::string text = fmt::format("{:<24}{:>10}{:>10}{:>10}{:>10}{:>12}", "field", "given", "known",
                                 "agree", "filled in", "too unsure");
  for (const auto& f : fields)
    text += fmt::format("\n{:<24}{:>10}{:>10}{:>10}{:>10}{:>12}", f.name, f.given, f.known,
                        f.known ? fmt::format("{:.1f} %", 100. * static_cast<double>(f.agree) /
                                                              static_cast<double>(f.known))
                                : "-",
                        f.filled, f.unsure);
  return text;
}

std::vector<DoubtfulLabel> doubtful_labels(const Predictions& predictions,
                                           const std::vector<GivenLabels>& given) {
  std::vector<DoubtfulLabel> doubtful;
  for (const auto& field : predictions.fields) {
    const auto* labels = labels_of(field.name, given);
    for (std::size_t i = 0; labels && i < static_cast<std::size_t>(predictions.cells); ++i) {
      const auto own = given_text(labels, i);
      const auto judgement = judged(field, own, i);
      if (!judgement || judgement->agrees) continue;
      doubtful.push_back(
          {i, field.name, own, field.text(i), judgement->probability, field.probability[i]});
    }
  }
  std::stable_sort(doubtful.begin(), doubtful.end(),
                   [](const auto& a, const auto& b) { return a.margin() > b.margin(); });
  return doubtful;
}

std::string csv_of(const std::vector<DoubtfulLabel>& labels,
                   const std::vector<std::string>& samples) {
  std::string text =
      "rank,sample,field,given,given_probability,predicted,predicted_probability,margin\n";
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto& label = labels[i];
    text += fmt::format("{},{},{},{},{:.6f},{},{:.6f},{:.6f}\n", i + 1,
                        io::csv_text(samples[label.sample]), io::csv_text(label.field),
                        io::csv_text(label.given), label.given_probability,
                        io::csv_text(label.predicted), label.predicted_probability, label.margin());
  }
  return text;
}

}  // namespace cellmill::infer
