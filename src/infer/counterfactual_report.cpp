#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "infer/counterfactual.h"
#include "io/files.h"
#include "io/json.h"

namespace cellmill::infer {
namespace {

using io::Json;

std::string heading(const ScoredGroup& group) {
  return fmt::format("{}: {:.0f} generated, {:.0f} real", group.name, group.source_cells,
                     group.wanted_cells);
}

std::string figures(const ScoredGroup& group, const std::string& row) {
  const auto it = std::find_if(group.rows.begin(), group.rows.end(),
                               [&](const ScoredRow& r) { return r.name == row; });
  if (it == group.rows.end()) return fmt::format("{:>8}{:>8}{:>8}", "-", "-", "-");
  const Scores& s = it->scores;
  const std::string cor = std::isnan(s.cor) ? "-" : fmt::format("{:.3f}", s.cor);
  return fmt::format("{:>8}{:>8.3f}{:>8.3f}", cor, s.err, s.err100);
}

// All cells and the mean over types side by side; with one type, or none, all cells alone.
std::string table(const ComparisonReport& report) {
  std::vector<const ScoredGroup*> shown{&report.groups[0]};
  if (report.groups.size() > 1) shown.push_back(&report.groups[1]);
  std::size_t width = 0;
  for (const ScoredRow& row : shown[0]->rows) width = std::max(width, row.name.size());
  std::string text = std::string(width, ' ');
  for (const ScoredGroup* group : shown) text += fmt::format("   {:<36}", heading(*group));
  text.erase(text.find_last_not_of(' ') + 1);
  text += "\n" + std::string(width, ' ');
  for (std::size_t i = 0; i < shown.size(); ++i)
    text += fmt::format("   {:>8}{:>8}{:>8}{:12}", "cor", "err", "err100", "");
  text.erase(text.find_last_not_of(' ') + 1);
  for (const ScoredRow& row : shown[0]->rows) {
    text += fmt::format("\n{:<{}}", row.name, width);
    for (const ScoredGroup* group : shown)
      text += fmt::format("   {}{:12}", figures(*group, row.name), "");
    text.erase(text.find_last_not_of(' ') + 1);
  }
  return text;
}

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(); }

Json json_of(const ScoredGroup& group) {
  Json json{{"name", group.name},
            {"generated_cells", group.source_cells},
            {"real_cells", group.wanted_cells},
            {"rows", Json::array()}};
  for (const ScoredRow& row : group.rows)
    json["rows"].push_back({{"name", row.name},
                            {"cor", number(row.scores.cor)},
                            {"err", number(row.scores.err)},
                            {"err100", number(row.scores.err100)}});
  return json;
}

}  // namespace

std::string text_of(const CounterfactualAnswer& a) {
  std::string text =
      fmt::format("{} ({} read-out): {} cells, {} changed, {} of that context already", a.request,
                  a.read_out, a.cells, a.changed, a.unchanged);
  if (a.unknown) text += fmt::format(", {} of unknown context", a.unknown);
  std::vector<std::pair<std::int64_t, std::string>> from;
  for (const auto& [name, cells] : a.from) from.emplace_back(-cells, name);
  std::sort(from.begin(), from.end());
  for (std::size_t i = 0; i < from.size() && i < 8; ++i)
    text += fmt::format("\n  {:>8} were {}", -from[i].first, from[i].second);
  if (from.size() > 8) text += fmt::format("\n  {:>8} more", from.size() - 8);
  if (a.comparison.groups.empty())
    return text + "\nno comparison with real cells: " + a.comparison.why_empty +
           " (--reference FILE gives more)";
  text += "\n\n" + table(a.comparison) + "\n\n";
  text +=
      "err = |p - t|^2 / |t - c|^2 of the means p (predicted), t (real cells of the wanted "
      "context), "
      "c (source cells):\nless is better, no change is 1; err100 on the 100 genes that differ "
      "most; "
      "cor is inflated by the noise of c.\nBaselines learn from one half of the real cells, all "
      "are "
      "scored on the other; a model trained on this file has seen both.\nA type is a combination "
      "of "
      "the labels in: " +
      (a.match.empty() ? std::string("(no other field)") : a.match) + ".";
  return text;
}

void write_report(const std::string& path, const CounterfactualAnswer& a) {
  Json json{{"request", a.request},    {"read_out", a.read_out},
            {"match", a.match},        {"cells", a.cells},
            {"changed", a.changed},    {"unchanged", a.unchanged},
            {"unknown", a.unknown},    {"from", a.from},
            {"groups", Json::array()}, {"why_empty", a.comparison.why_empty}};
  for (const ScoredGroup& group : a.comparison.groups) json["groups"].push_back(json_of(group));
  io::write_text_atomically(path, json.dump(2) + "\n");
}

}  // namespace cellmill::infer
