#include "data/census_report.h"

#include <algorithm>

#include "base/format.h"

namespace cellmill::data {
namespace {

using Level = Remark::Level;

const char* name_of(Level level) {
  return level == Level::kRefused ? "refused" : level == Level::kWarning ? "warning" : "note";
}

}  // namespace

std::string text_of(const CensusReport& r) {
  const Census& c = r.census;
  const Scale scale = scale_of(c);
  const auto genes = r.vocabulary.genes.size();
  std::string text =
      fmt::format("{}: {} cells, {} genes, {} entries, density {}\n", r.path, c.cells, genes,
                  c.entries, percent(share(c.entries, c.cells * static_cast<std::int64_t>(genes))));
  const auto spread = [&](const char* what, const Spread& s) {
    if (c.cells > 0)
      text += fmt::format("  {:<16} min {:.6g}, median {:.4g}, max {:.6g}\n", what, s.min(),
                          s.quantile(0.5), s.max());
  };
  spread("library size", scale == Scale::kLogs ? c.counts_log : c.library);
  spread("genes a cell", c.genes);
  text +=
      fmt::format("  {:<16} {}, largest {:.6g}, {} of the values are no whole numbers\n", "values",
                  r.vocabulary.ranked       ? "ranks"
                  : scale == Scale::kCounts ? "counts"
                  : scale == Scale::kLogs   ? "log1p"
                                            : "unclear",
                  c.largest, percent(share(c.fractional, c.entries)));
  if (!r.vocabulary.fields.empty())
    text += fmt::format("\n{:<28}{:>7}{:>9}{:>10}  {}\n", "field", "values", "as good", "no label",
                        "largest values, of the labelled cells");
  for (std::size_t f = 0; f < c.fields.size(); ++f) {
    const auto facts = facts_of(c.fields[f]);
    std::string largest;
    for (std::size_t k = 0; k < std::min<std::size_t>(3, facts.by_size.size()); ++k) {
      const auto count = c.fields[f].cells[facts.by_size[k]];
      if (count == 0) break;
      largest += (k ? ", " : "") + r.vocabulary.fields[f].categories[facts.by_size[k]] + " " +
                 percent(share(count, facts.labelled));
    }
    text += fmt::format("{:<28}{:>7}{:>9.1f}{:>10}  {}\n", r.vocabulary.fields[f].name,
                        r.vocabulary.fields[f].categories.size(), facts.effective,
                        percent(share(facts.missing, c.cells)), largest);
  }
  text += '\n';
  for (const Remark& remark : r.remarks()) {
    const std::string level = remark.level == Level::kRefused ? "REFUSED" : name_of(remark.level);
    text += fmt::format("{:<8} {}\n", level, remark.text);
    if (!remark.hint.empty()) text += "         hint: " + remark.hint + "\n";
  }
  text += r.refused() ? "training would refuse these data" : "training would take these data";
  return text;
}

io::Json json_of(const CensusReport& r) {
  const Census& c = r.census;
  const auto spread = [](const Spread& s) {
    io::Json json = {{"min", s.min()},
                     {"median", s.quantile(0.5)},
                     {"max", s.max()},
                     {"zeros", s.zeros()},
                     {"bins", io::Json::array()}};
    for (const auto& bin : s.bins(64)) json["bins"].push_back({bin.low, bin.high, bin.count});
    return json;
  };
  io::Json json = {{"path", r.path},
                   {"refused", r.refused()},
                   {"cells", c.cells},
                   {"validation_cells", c.held_out},
                   {"genes", r.vocabulary.genes.size()},
                   {"entries", c.entries},
                   {"stored_zeros", c.zeros},
                   {"fractional", c.fractional},
                   {"largest", c.largest},
                   {"library", spread(c.library)},
                   {"library_if_log1p", spread(c.counts_log)},
                   {"genes_per_cell", spread(c.genes)},
                   {"silent_genes", std::count(c.gene_cells.begin(), c.gene_cells.end(), 0)},
                   {"fields", io::Json::object()},
                   {"pairs", io::Json::array()},
                   {"faults", io::Json::object()},
                   {"remarks", io::Json::array()}};
  for (std::size_t f = 0; f < c.fields.size(); ++f) {
    const Field& field = r.vocabulary.fields[f];
    io::Json values = io::Json::object(), held_out = io::Json::object();
    for (std::size_t k = 0; k < field.categories.size(); ++k) {
      values[field.categories[k]] = c.fields[f].cells[k];
      if (c.fields[f].held_out[k] > 0) held_out[field.categories[k]] = c.fields[f].held_out[k];
    }
    json["fields"][field.name] = {{"cells", values},
                                  {"validation", held_out},
                                  {"missing", c.fields[f].cells.back()},
                                  {"effective", facts_of(c.fields[f]).effective}};
  }
  for (const PairCount& pair : c.pairs)
    json["pairs"].push_back(
        {{"fields", {r.vocabulary.fields[pair.first].name, r.vocabulary.fields[pair.second].name}},
         {"cramers_v", cramers_v(pair, c.fields[pair.second].cells.size())}});
  for (const auto& [fault, found] : c.faults)
    json["faults"][name_of(fault)] = {{"count", found.count}, {"first", found.place()}};
  for (const Remark& remark : r.remarks())
    json["remarks"].push_back(
        {{"level", name_of(remark.level)}, {"text", remark.text}, {"hint", remark.hint}});
  return json;
}

std::string json_text(const std::vector<CensusReport>& reports) {
  io::Json list = io::Json::array();
  for (const CensusReport& report : reports) list.push_back(json_of(report));
  const io::Json& said = reports.size() == 1 ? list[0] : list;
  return said.dump(2, ' ', false, io::Json::error_handler_t::replace);  // names may be no UTF-8
}

}  // namespace cellmill::data
