#include "infer/gene_match.h"

#include <unordered_map>

#include "base/error.h"
#include "base/log.h"

namespace cellmill::infer {
namespace {

constexpr std::size_t kShown = 5;

std::string first_names(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < kShown; ++i) text += (i ? ", " : "") + names[i];
  return names.size() > kShown ? text + ", ..." : text;
}

}  // namespace

double GeneMatch::overlap() const {
  return static_cast<double>(expected - static_cast<std::int64_t>(missing.size())) /
         static_cast<double>(expected);
}

std::string GeneMatch::text() const {
  std::string text =
      fmt::format("{} of the model's {} genes found", expected - missing.size(), expected);
  if (!missing.empty()) text += "; missing, counted as 0: " + first_names(missing);
  if (unused) text += fmt::format("; {} columns that the model does not know left out", unused);
  if (repeated) text += fmt::format("; {} repeated names left out", repeated);
  return text;
}

GeneMatch match_genes(const std::vector<std::string>& model,
                      const std::vector<std::string>& input) {
  std::unordered_map<std::string, std::int32_t> place;
  for (std::size_t i = 0; i < model.size(); ++i)
    place.emplace(model[i], static_cast<std::int32_t>(i));
  GeneMatch match;
  match.expected = static_cast<std::int64_t>(model.size());
  std::vector<bool> found(model.size());
  for (const std::string& name : input) {
    const auto it = place.find(name);
    match.column.push_back(-1);
    if (it == place.end()) {
      ++match.unused;
    } else if (found[it->second]) {
      ++match.repeated;
    } else {
      found[it->second] = true;
      match.column.back() = it->second;
    }
  }
  for (std::size_t i = 0; i < model.size(); ++i)
    if (!found[i]) match.missing.push_back(model[i]);
  return match;
}

void require_overlap(const GeneMatch& match, double min_overlap, const std::string& file,
                     const std::vector<std::string>& model, const std::vector<std::string>& input) {
  if (match.overlap() >= min_overlap) return;
  throw DataError(
      {file, "gene names",
       fmt::format("at least {:.0f} % of the model's {} genes, such as {}", 100 * min_overlap,
                   match.expected, first_names(model)),
       fmt::format("{} of them ({:.1f} %), among {} names such as {}",
                   match.expected - match.missing.size(), 100 * match.overlap(), input.size(),
                   first_names(input))},
      "too few genes in common with the model",
      "are these the same kind of names (symbols or Ensembl ids)? --min-overlap lowers the bar");
}

}  // namespace cellmill::infer
