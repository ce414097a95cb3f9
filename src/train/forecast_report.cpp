#include "train/forecast_report.h"

#include <algorithm>
#include <cmath>

#include "base/format.h"

namespace cellmill::train {
namespace {

/// 12,345,678
std::string whole(double value) {
  const auto digits = fmt::format("{:.0f}", value);
  std::string text;
  for (std::size_t k = 0; k < digits.size(); ++k) {
    if (k > 0 && (digits.size() - k) % 3 == 0) text += ',';
    text += digits[k];
  }
  return text;
}

std::string few(double value) {
  return value >= 100 ? whole(value) : fmt::format("{:.{}f}", value, value >= 10 ? 1 : 2);
}

double steps_of(double cells, const RanksForecast& r) { return std::ceil(cells / r.global_batch); }

double hours_of(double cells, const RanksForecast& r) { return cells / r.cells_per_second / 3600; }

const StepForecast& chosen(const ForecastReport& report) {
  return *std::find_if(report.step.begin(), report.step.end(), [](auto& f) { return f.chosen; });
}

std::string unless_fits(const Machine& machine, double bytes) {
  if (machine.memory_gb <= 0 || 1e-9 * bytes <= machine.memory_gb) return "";
  return fmt::format("; DOES NOT FIT in {:.0f} GB", machine.memory_gb);
}

std::string head(const ForecastReport& r) {
  const auto& m = r.machine;
  auto source = m.source;
  for (auto k = source.find("; "); k != std::string::npos; k = source.find("; ", k + 3))
    source.replace(k, 2, "\n  ");
  return fmt::format(
      "{}: {} parameters, {} genes, {:.0f} stored entries a cell, {} cells a step and rank, "
      "{}\n"
      "machine {}: {}\n",
      r.model, whole(r.step.front().cost.parameters), whole(static_cast<double>(r.genes)),
      r.work.nonzeros, whole(r.work.cells), r.work.precision, m.name, source);
}

std::string step_table(const ForecastReport& r) {
  auto text = fmt::format("\n{:<12}{:>10}{:>10}{:>10}{:>10}{:>12}  {}\n", "one rank", "GFLOP",
                          "GB moved", "GB held", "ms", "cells/s", "bound by");
  for (const auto& f : r.step) {
    text +=
        fmt::format("{:<12}{:>10}{:>10}{:>10}{:>10}{:>12}  {}{}\n", f.form + (f.chosen ? " *" : ""),
                    few(1e-9 * (f.cost.flop + f.cost.full_flop + f.cost.sparse_flop)),
                    few(1e-9 * f.cost.moved), few(1e-9 * f.memory()), few(1e3 * f.seconds()),
                    whole(f.cells_per_second), f.bound(), unless_fits(r.machine, f.memory()));
  }
  text +=
      fmt::format("{:<12}{:>52}  {} thread{}\n", "loader", whole(loader_rate(r.work, r.machine)),
                  r.work.loader_threads, r.work.loader_threads > 1 ? "s" : "");
  return text + fmt::format("{:<12}{:>52}  {:.3g} GB/s, {} bytes a cell, for all ranks\n",
                            "file system", whole(disk_rate(r.work, r.machine)), r.machine.disk_gbs,
                            whole(r.work.bytes_per_cell));
}

std::string advice(const ForecastReport& r) {
  const auto& taken = chosen(r);
  auto text = fmt::format("* is what the run takes; it is bound by the {}.", r.ranks.front().bound);
  if (r.step.size() < 2) return text + "\n";
  const auto from = crossing(r.work, r.machine);
  text += from == 0 ? fmt::format(" {} is never predicted to be faster.", r.step[1].form)
                    : fmt::format(" {} is predicted to be faster from {} cells a rank on.",
                                  r.step[1].form, whole(from));
  for (const auto& f : r.step) {
    if (!f.chosen && f.seconds() < 0.8 * taken.seconds())
      text += fmt::format(" Here {} is predicted to be {:.1f} times as fast.", f.form,
                          taken.seconds() / f.seconds());
  }
  return text + "\n";
}

std::string ranks_table(const ForecastReport& r) {
  auto text =
      fmt::format("\n{:>5}{:>13}{:>9}{:>10}{:>12}{:>10}{:>13}{:>7}", "ranks", "global batch",
                  "GB held", "step ms", "all-reduce", "read ms", "cells/s", "eff.");
  for (const double cells : r.data_sets)
    text += fmt::format("{:>18}", few(1e-6 * cells) + " M h/steps");
  text += "  bound by\n";
  for (const auto& n : r.ranks) {
    text += fmt::format("{:>5}{:>13}{:>9}{:>10}{:>12}{:>10}{:>13}{:>6.0f}%", n.ranks,
                        whole(n.global_batch), few(1e-9 * n.memory), few(1e3 * n.step),
                        few(1e3 * n.all_reduce), few(1e3 * n.reading), whole(n.cells_per_second),
                        100 * n.efficiency);
    for (const double cells : r.data_sets)
      text += fmt::format("{:>9.3g} /{:>7}", hours_of(cells, n), whole(steps_of(cells, n)));
    text += "  " + n.bound + unless_fits(r.machine, n.memory) + "\n";
  }
  return text + where_scaling_ends(r.ranks) + "\n";
}

/// Large global batches leave few steps to learn in.
std::string few_steps(const ForecastReport& r) {
  constexpr double kFew = 100;
  std::string text;
  for (const double cells : r.data_sets) {
    const auto first = std::find_if(r.ranks.begin(), r.ranks.end(),
                                    [&](auto& n) { return steps_of(cells, n) < kFew; });
    if (first != r.ranks.end())
      text += fmt::format("from {} ranks on an epoch of {} M cells is fewer than {:.0f} steps\n",
                          first->ranks, few(1e-6 * cells), kFew);
  }
  return text;
}

}  // namespace

ForecastReport make_report(const Machine& machine, const Work& work, double most) {
  ForecastReport report;
  report.machine = machine;
  report.work = work;
  report.step = forecast_step(work, machine, 1);
  report.ranks = forecast_ranks(work, machine, most);
  return report;
}

std::string text_of(const ForecastReport& r) {
  return head(r) + step_table(r) + advice(r) + ranks_table(r) + few_steps(r);
}

io::Json json_of(const ForecastReport& r) {
  io::Json json = {{"model", r.model},
                   {"machine", {{"name", r.machine.name}, {"source", r.machine.source}}},
                   {"genes", r.genes},
                   {"nonzeros", r.work.nonzeros},
                   {"cells_per_rank", r.work.cells},
                   {"precision", r.work.precision},
                   {"parameters", r.step.front().cost.parameters},
                   {"loader_cells_per_second", loader_rate(r.work, r.machine)},
                   {"disk_cells_per_second", disk_rate(r.work, r.machine)},
                   {"crossing_cells", crossing(r.work, r.machine)},
                   {"forms", io::Json::array()},
                   {"ranks", io::Json::array()},
                   {"scaling", where_scaling_ends(r.ranks)}};
  for (const auto& f : r.step) {
    json["forms"].push_back({{"name", f.form},
                             {"chosen", f.chosen},
                             {"flop", f.cost.flop + f.cost.full_flop},
                             {"sparse_flop", f.cost.sparse_flop},
                             {"bytes_moved", f.cost.moved},
                             {"bytes_held", f.memory()},
                             {"seconds", f.seconds()},
                             {"cells_per_second", f.cells_per_second},
                             {"bound", f.bound()}});
  }
  for (const auto& n : r.ranks) {
    io::Json epochs = io::Json::array();
    for (const double cells : r.data_sets)
      epochs.push_back(
          {{"cells", cells}, {"hours", hours_of(cells, n)}, {"steps", steps_of(cells, n)}});
    json["ranks"].push_back({{"ranks", n.ranks},
                             {"global_batch", n.global_batch},
                             {"bytes_held", n.memory},
                             {"step_seconds", n.step},
                             {"compute_seconds", n.compute},
                             {"all_reduce_seconds", n.all_reduce},
                             {"reading_seconds", n.reading},
                             {"cells_per_second", n.cells_per_second},
                             {"efficiency", n.efficiency},
                             {"epochs", epochs},
                             {"bound", n.bound}});
  }
  return json;
}

}  // namespace cellmill::train
