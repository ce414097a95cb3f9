#include "infer/run_page.h"

#include <algorithm>

#include "base/format.h"
#include "infer/run_facts.h"
#include "io/chart.h"
#include "io/files.h"

namespace cellmill::infer {
namespace {

using io::Json;
using io::xml_text;

constexpr const char* kStyle = R"CSS(
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #f4f5f7; margin: 0; }
main { max-width: 1460px; margin: 0 auto; padding: 24px; }
h1 { font-size: 24px; margin: 0 0 4px; } h2 { font-size: 18px; margin: 32px 0 10px; }
p { margin: 6px 0; } .quiet { color: #667; }
.charts { display: flex; flex-wrap: wrap; gap: 12px; align-items: flex-start; }
.charts svg, table, pre, .box { background: #fff; border: 1px solid #dde1e6; border-radius: 6px; }
.charts svg { max-width: 100%; height: auto; }
.tiles { display: flex; flex-wrap: wrap; gap: 12px; margin: 16px 0; }
.box { padding: 10px 16px; } .box b { display: block; font-size: 19px; }
table { border-collapse: collapse; } td, th { padding: 5px 12px; text-align: left; vertical-align: top; }
th { font-weight: 600; border-bottom: 1px solid #dde1e6; } td { overflow-wrap: anywhere; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.bad { color: #a40000; font-weight: 600; } .warn { color: #8a5a00; font-weight: 600; } .good { color: #00704d; font-weight: 600; }
pre { padding: 12px; overflow-x: auto; font-size: 13px; } summary { cursor: pointer; }
)CSS";

std::string section(const std::string& title, const std::string& body) {
  return "<section>\n<h2>" + xml_text(title) + "</h2>\n" + body + "</section>\n";
}

std::string charts(const std::vector<io::Svg>& pictures) {
  std::string html = "<div class=\"charts\">\n";
  for (const io::Svg& picture : pictures) html += picture.element();
  return html + "</div>\n";
}

std::string row(const std::vector<std::string>& cells, const char* tag = "td") {
  std::string html = "<tr>";
  for (const std::string& cell : cells) html += fmt::format("<{0}>{1}</{0}>", tag, cell);
  return html + "</tr>\n";
}

std::string megabytes(std::uintmax_t bytes) {
  return fmt::format("{:.1f} MB", 1e-6 * static_cast<double>(bytes));
}

std::string text_of(const Json& value) {
  return value.is_string() ? value.get<std::string>()
         : value.is_null() ? ""
                           : value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Which curves share a chart: those below a prefix, but for the losses and rates, which differ in
/// size.
std::string chart_of(const std::string& name) {
  for (const char* together : {"accuracy/", "macro_f1/", "r2/", "loss/target/"})
    if (name.starts_with(together))
      return std::string(together).substr(0, std::string(together).size() - 1);
  if (name.starts_with("gradient_norm/")) return name.ends_with("/mean") ? "gradient_norm" : "";
  if (name.starts_with("goodput_") || name.ends_with("_seconds")) return "";
  return name;
}

std::vector<io::Svg> curves(const RunHistory& h) {
  std::map<std::string, std::vector<io::Series>> by_chart;
  for (const auto& [name, splits] : h.curves) {
    const std::string chart = chart_of(name);
    if (chart.empty()) continue;
    for (const auto& [split, points] : splits) {
      std::string label = split;
      if (chart != name) {
        label = name.substr(chart.size() + 1);
        if (label.ends_with("/mean")) label.resize(label.size() - 5);
        if (splits.size() > 1) label += ", " + split;
      }
      by_chart[chart].push_back({label, points});
    }
  }
  const auto rank = [](const std::string& name) {
    return name == "loss/generator"                   ? 0
           : name.starts_with("loss/reconstruction")  ? 1
           : name.starts_with("loss/")                ? 2
           : name.starts_with("r2")                   ? 3
           : name == "accuracy" || name == "macro_f1" ? 4
                                                      : 5;
  };
  std::vector<std::string> order;
  for (const auto& [name, series] : by_chart) order.push_back(name);
  std::stable_sort(order.begin(), order.end(),
                   [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  std::vector<io::Svg> pictures;
  for (const std::string& name : order) {
    std::string title = name;
    if (by_chart[name].size() == 1) title += ", " + by_chart[name].front().name;
    pictures.push_back(io::line_chart(title, "step", by_chart[name]));
  }
  return pictures;
}

std::optional<double> last_of(const RunHistory& h, const std::string& name,
                              const std::string& split) {
  const auto curve = h.curves.find(name);
  if (curve == h.curves.end()) return {};
  const auto points = curve->second.find(split);
  return points == curve->second.end() ? std::nullopt : std::optional(points->second.back().second);
}

std::string goodput(const RunHistory& h) {
  io::Shares row{"share of the time of the last start", {}, ""};
  for (const char* part :
       {"compute", "data", "synchronise", "evaluation", "checkpoint", "comparison", "other"})
    if (const auto share = last_of(h, std::string("goodput_") + part, "train"))
      row.parts.emplace_back(part, *share);
  if (row.parts.empty()) return "<p class=\"quiet\">The run has no training points yet.</p>\n";
  row.remark = fmt::format("compute {:.0f} %", 100 * row.parts.front().second);
  return charts({io::shares_chart("Where the time went", {row})});
}

std::string influences(const RunHistory& h) {
  if (h.last_influence.empty())
    return "<p class=\"quiet\">Nothing recorded: the model has no heads, or was never evaluated."
           "</p>\n";
  std::vector<io::Bar> bars;
  for (const auto& [head, norms] : h.last_influence)
    bars.push_back({head, norms.mean, norms.low, norms.high});
  std::vector<io::Series> series;
  for (const auto& [head, curve] : h.influences) series.push_back({head, curve});
  return charts({io::bar_chart("L2 norm of each head's output: mean, and range over cells", bars),
                 io::line_chart("Mean norm of each head", "step", series)});
}

std::string data_section(const RunPage& page) {
  if (!page.data) return "<p class=\"quiet\">" + xml_text(page.without_data) + "</p>\n";
  const auto& report = *page.data;
  const auto& c = report.census;
  std::string html = fmt::format(
      "<p>{}: {} cells ({} held out for validation), {} genes, {} entries.</p>\n",
      xml_text(report.path), c.cells, c.held_out, report.vocabulary.genes.size(), c.entries);
  html += charts(data::charts_of(report));
  const auto remarks = report.remarks();
  if (remarks.empty()) return html + "<p class=\"good\">Nothing to remark.</p>\n";
  html += "<p></p><table>" + row({"", "remark", "what to do"}, "th");
  for (const auto& remark : remarks) {
    using Level = data::Remark::Level;
    const char* mark = remark.level == Level::kRefused   ? "<span class=\"bad\">refused</span>"
                       : remark.level == Level::kWarning ? "<span class=\"warn\">warning</span>"
                                                         : "note";
    html += row({mark, xml_text(remark.text), xml_text(remark.hint)});
  }
  return html + "</table>\n";
}

std::string environment(const RunHistory& h) {
  if (h.sessions.empty()) return "<p class=\"quiet\">No start is recorded.</p>\n";
  std::vector<std::string> names;
  for (const Json& session : h.sessions)
    for (const auto& [name, value] : session.items())
      if (name != "xxh3" && std::find(names.begin(), names.end(), name) == names.end())
        names.push_back(name);
  constexpr std::size_t kShown = 6;
  const std::size_t first = h.sessions.size() > kShown ? h.sessions.size() - kShown : 0;
  std::vector<std::string> heads = {""};
  for (std::size_t s = first; s < h.sessions.size(); ++s)
    heads.push_back(fmt::format("start {}", s + 1));
  std::string html = "<table>" + row(heads, "th");
  for (const std::string& name : names) {
    std::vector<std::string> cells = {xml_text(name)};
    for (std::size_t s = first; s < h.sessions.size(); ++s)
      cells.push_back(xml_text(text_of(h.sessions[s].value(name, Json()))));
    html += row(cells);
  }
  return html + "</table>\n";
}

std::string failures(const RunHistory& h) {
  std::string html;
  if (h.failure.is_object()) {
    html += "<table>" + row({"last failure", ""}, "th");
    for (const auto& [name, value] : h.failure.items())
      html += row({xml_text(name), xml_text(text_of(value))});
    html += "</table>\n";
  }
  if (!h.logged.empty()) {
    html += "<p></p><table>" + row({"", "line of the logs", "ranks", "times"}, "th");
    constexpr std::size_t kShown = 50;
    for (std::size_t i = 0; i < std::min(kShown, h.logged.size()); ++i) {
      const auto& line = h.logged[i];
      const bool bad = line.level == "error";
      html += row({fmt::format("<span class=\"{}\">{}</span>", bad ? "bad" : "warn", line.level),
                   xml_text(line.text), fmt::format("{}", fmt::join(line.ranks, ", ")),
                   std::to_string(line.count)});
    }
    html += "</table>\n";
    if (h.logged.size() > kShown)
      html +=
          fmt::format("<p class=\"quiet\">and {} more, in log/</p>\n", h.logged.size() - kShown);
  }
  return html.empty() ? "<p class=\"good\">No failure, no warning.</p>\n" : html;
}

std::string figures(const RunHistory& h) {
  std::string html = "<table>" + row({"split", "figure", "at step", "value"}, "th");
  for (const auto& [split, last] : last_figures(h.run))
    for (const auto& [name, value] : last.values)
      if (!chart_of(name).empty())
        html += fmt::format(
            "<tr><td>{}</td><td>{}</td><td class=\"number\">{}</td><td class=\"number\">{:.6g}"
            "</td></tr>\n",
            xml_text(split), xml_text(name), last.step, value);
  return "<details><summary>All figures at their last step</summary>\n" + html +
         "</table></details>\n";
}

std::string tiles(const RunHistory& h) {
  double step = 0;
  for (const auto& [name, splits] : h.curves)
    for (const auto& [split, points] : splits) step = std::max(step, points.back().first);
  std::string html = "<div class=\"tiles\">\n";
  const auto tile = [&](const std::string& value, const std::string& what) {
    html += "<div class=\"box\"><b>" + xml_text(value) + "</b>" + what + "</div>\n";
  };
  tile(fmt::format("{:.0f}", step), "steps recorded");
  if (const auto speed = last_of(h, "cells_per_second", "train"))
    tile(fmt::format("{:.0f}", *speed), "cells a second, at the end");
  if (const auto share = last_of(h, "goodput_compute", "train"))
    tile(fmt::format("{:.0f} %", 100 * *share), "of the time computing");
  if (const auto loss = last_of(h, "loss/generator", "validation"))
    tile(fmt::format("{:.5g}", *loss), "validation loss/generator");
  tile(std::to_string(h.sessions.size()), "starts");
  if (!h.checkpoints.empty())
    tile(fmt::format("{} of {}", h.checkpoints.size(), megabytes(h.checkpoints.back().second)),
         fmt::format("checkpoints, the newest at step {}", h.checkpoints.back().first));
  return html + "</div>\n";
}

}  // namespace

std::string html_of(const RunPage& page) {
  const RunHistory& h = page.history;
  const std::string name =
      xml_text(std::filesystem::absolute(h.run).lexically_normal().filename().string());
  std::string html =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
      name + " — cellmill run</title>\n<style>" + kStyle +
      "</style>\n</head>\n<body>\n<main>\n<h1>" + name + "</h1>\n<p class=\"quiet\">" +
      xml_text(h.run.string()) + ", page made by " + xml_text(page.made) + "</p>\n" + tiles(h);
  html += section("Curves", charts(curves(h)) + figures(h));
  html += section("Influence of heads", influences(h));
  html += section("Goodput", goodput(h));
  html += section("Data", data_section(page));
  html += section("Environment", environment(h));
  html += section("Failures and warnings", failures(h));
  html += section("Settings", "<details><summary>config.yaml</summary>\n<pre>" +
                                  xml_text(h.config) + "</pre></details>\n");
  return html + "</main>\n</body>\n</html>\n";
}

void write_page(const RunPage& page, const std::string& path) {
  io::write_text_atomically(path, html_of(page));
}

}  // namespace cellmill::infer
