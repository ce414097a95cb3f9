#include "train/forecast.h"

#include <algorithm>
#include <cmath>

#include "base/format.h"

namespace cellmill::train {
namespace {

constexpr double kGiga = 1e9, kEnough = 0.7;

double product_rate(const Machine& m, const std::string& precision) {
  return kGiga * (precision == "bfloat16"                    ? m.bfloat16_gflops
                  : precision == "tf32" && m.tf32_gflops > 0 ? m.tf32_gflops
                  : precision == "float64"                   ? m.float32_gflops / 2
                                                             : m.float32_gflops);
}

/// Of products that stay in full precision: tf32 is taken for it, bfloat16 is not.
double gram_rate(const Machine& m, const std::string& precision) {
  if (precision == "tf32" || m.gram_gflops == 0)
    return product_rate(m, precision == "bfloat16" ? "float32" : precision);
  return kGiga * m.gram_gflops / (precision == "float64" ? 2 : 1);
}

std::string percent(double share) { return fmt::format("{:.0f} %", 100 * share); }

std::string count(double ranks) { return fmt::format("{} rank{}", ranks, ranks > 1 ? "s" : ""); }

}  // namespace

std::string StepForecast::bound() const {
  if (products >= sparse && products >= moving) return "matrix products";
  return sparse >= moving ? "sparse products" : "memory bandwidth";
}

std::vector<StepForecast> forecast_step(const Work& work, const Machine& machine, double ranks) {
  const auto all = work.forms(
      {work.cells, work.nonzeros, ranks, machine.device == "cpu", work.shard ? ranks : 1});
  std::vector<StepForecast> result;
  for (const auto& form : all.forms) {
    StepForecast f;
    f.form = form.name;
    f.cost = form.cost;
    f.products = form.cost.flop / product_rate(machine, work.precision) +
                 form.cost.full_flop / gram_rate(machine, work.precision);
    f.sparse = form.cost.sparse_flop / (kGiga * machine.sparse_gflops);
    f.moving = form.cost.moved / (kGiga * machine.memory_gbs);
    f.cells_per_second = work.cells / f.seconds();
    f.chosen = result.size() == all.chosen;
    result.push_back(f);
  }
  return result;
}

double loader_rate(const Work& work, const Machine& machine) {
  return static_cast<double>(work.loader_threads) * 1e6 * machine.loader_mentries / work.nonzeros;
}

double disk_rate(const Work& work, const Machine& machine) {
  return kGiga * machine.disk_gbs / work.bytes_per_cell;
}

double all_reduce_seconds(const Machine& machine, double bytes, double ranks) {
  if (ranks <= 1) return 0;
  const double nodes = std::ceil(ranks / static_cast<double>(machine.ranks_per_node));
  double link = machine.link_gbs, hops = (ranks - nodes) * machine.link_us;
  if (nodes > 1) {
    link = ranks > nodes ? std::min(link, machine.node_link_gbs) : machine.node_link_gbs;
    hops += nodes * machine.node_link_us;
  }
  return 2 * (ranks - 1) / ranks * bytes / (kGiga * link) + 2e-6 * hops;
}

double crossing(const Work& work, const Machine& machine) {
  Work other = work;
  const auto second_wins = [&](double cells) {
    other.cells = cells;
    const auto forms = forecast_step(other, machine, 1);
    return forms.size() > 1 && forms[1].seconds() < forms[0].seconds();
  };
  double below = 0, above = 1;
  while (!second_wins(above)) {
    below = above;
    above *= 2;
    if (above > 1 << 20) return 0;
  }
  while (above - below > 1) {
    const double middle = std::floor((below + above) / 2);
    (second_wins(middle) ? above : below) = middle;
  }
  return above;
}

RanksForecast forecast_at(const Work& work, const Machine& machine, double n) {
  const auto forms = forecast_step(work, machine, n);
  const auto& form = *std::find_if(forms.begin(), forms.end(), [](auto& f) { return f.chosen; });
  RanksForecast r;
  r.ranks = n;
  r.global_batch = n * work.cells;
  r.compute = form.seconds();
  r.memory = form.memory();
  const double ring = all_reduce_seconds(machine, form.cost.summed, n);
  const double gather = work.shard ? ring / 2 : 0;
  const double sums = work.shard && machine.overlap == 0 ? ring / 2 : ring;
  r.all_reduce = sums + gather;
  // Backward, two thirds of the step, can hide no more than its own time.
  r.waited = std::max((1 - machine.overlap) * sums, sums - r.compute * 2 / 3) + gather;
  const double own = work.cells / loader_rate(work, machine),
               shared = r.global_batch / disk_rate(work, machine);
  r.reading = std::max(own, shared);
  r.step = std::max(r.compute + r.waited, r.reading);
  r.cells_per_second = r.global_batch / r.step;
  r.bound = r.step > r.compute + r.waited ? (shared > own ? "file system" : "loader")
            : r.waited > r.compute        ? "all-reduce"
                                          : form.bound();
  return r;
}

std::vector<RanksForecast> forecast_ranks(const Work& work, const Machine& machine, double most) {
  std::vector<RanksForecast> result;
  for (double n = 1; n <= most; n *= 2) {
    result.push_back(forecast_at(work, machine, n));
    auto& r = result.back();
    r.efficiency = r.cells_per_second / n / result.front().cells_per_second;
  }
  return result;
}

std::string where_scaling_ends(const std::vector<RanksForecast>& ranks) {
  for (std::size_t k = 0; k < ranks.size(); ++k) {
    const auto& r = ranks[k];
    const bool starved = r.bound == "file system";
    if (!starved && r.efficiency >= kEnough) continue;
    const auto why =
        starved
            ? fmt::format("with {} the file system binds: {:.3g} ms to read, {:.3g} for the step",
                          count(r.ranks), 1e3 * r.reading, 1e3 * (r.compute + r.waited))
            : fmt::format("{} are {} efficient: {:.3g} of {:.3g} ms wait for the all-reduce",
                          count(r.ranks), percent(r.efficiency), 1e3 * r.waited, 1e3 * r.step);
    return k == 0 ? "scaling ends before it begins: " + why
                  : "scaling ends at " + count(ranks[k - 1].ranks) + ": " + why;
  }
  return fmt::format("scaling does not end up to {}, which are {} efficient",
                     count(ranks.back().ranks), percent(ranks.back().efficiency));
}

}  // namespace cellmill::train
