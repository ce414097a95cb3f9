#include "infer/comparison.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>

#include "base/log.h"
#include "base/random.h"

namespace cellmill::infer {
namespace {

bool learns(std::uint64_t file, std::int64_t cell) {
  return random::bits(random::Use::kSplit, {file, static_cast<std::uint64_t>(cell)}) & 1;
}

}  // namespace

Comparison::Type& Comparison::type(std::int64_t place) {
  if (types_.size() <= static_cast<std::size_t>(place)) types_.resize(place + 1);
  return types_[place];
}

void Comparison::add(const data::Batch& batch, const CellRoles& roles,
                     const at::Tensor& generated) {
  const auto* cells = batch.cells.const_data_ptr<std::int64_t>();
  std::map<std::int64_t, std::vector<std::int64_t>> scored;
  for (std::int64_t i = 0; i < batch.size(); ++i) {
    if (roles.role[i] == Role::kNone) continue;
    Type& t = type(roles.type[i]);
    const bool half = learns(0, cells[i]);
    if (roles.role[i] == Role::kWanted) {
      add_cell(half ? t.learn_wanted : t.score_wanted, batch, i);
    } else if (half && !has_reference_) {
      add_cell(t.learn_source, batch, i);
    } else {
      add_cell(t.score_source, batch, i);
      scored[roles.type[i]].push_back(i);
    }
  }
  for (const auto& [place, rows] : scored)
    add_cells(type(place).generated, generated.index_select(0, at::tensor(rows, at::kLong)));
}

void Comparison::add_reference(const data::Batch& batch, const CellRoles& roles) {
  const auto* cells = batch.cells.const_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < batch.size(); ++i) {
    if (roles.role[i] == Role::kNone) continue;
    Type& t = type(roles.type[i]);
    if (roles.role[i] == Role::kSource)
      add_cell(t.learn_source, batch, i);
    else
      add_cell(learns(1, cells[i]) ? t.learn_wanted : t.score_wanted, batch, i);
  }
}

ScoredGroup Comparison::score_group(const std::string& name, const std::vector<std::size_t>& types,
                                    const Shifts& shifts, const std::string& model) const {
  Population source, truth, generated, all_source, all_wanted;
  std::vector<double> cells(types_.size(), 0);
  for (std::size_t k : types) {
    const Type& t = types_[k];
    cells[k] = t.score_source.cells;
    source.add(t.score_source);
    truth.add(t.score_wanted);
    generated.add(t.generated);
    all_source.add(t.learn_source);
    all_wanted.add(t.learn_wanted);
  }
  all_source.add(source);
  all_wanted.add(truth);
  const at::Tensor top = top_genes(all_source, all_wanted), c = source.mean(), t = truth.mean();
  ScoredGroup group{name, source.cells, truth.cells, {}};
  group.rows.push_back({model, score(generated.mean(), c, t, top)});
  for (const Prediction& p : predict_means(shifts, c, cells))
    group.rows.push_back({p.name, score(p.mean, c, t, top)});
  group.rows.push_back({"sampling noise of the truth", noise_of_truth(c, truth, top)});
  return group;
}

ComparisonReport Comparison::report(const std::vector<std::string>& type_names,
                                    const std::string& model, double min_cells) const {
  std::vector<Population> source, wanted;
  std::vector<std::size_t> all, matched;
  double scored_source = 0, scored_wanted = 0;
  for (std::size_t k = 0; k < types_.size(); ++k) {
    const Type& t = types_[k];
    source.push_back(t.learn_source);
    wanted.push_back(t.learn_wanted);
    all.push_back(k);
    scored_source += t.score_source.cells;
    scored_wanted += t.score_wanted.cells;
    if (std::min(t.score_source.cells, t.score_wanted.cells) >= min_cells) matched.push_back(k);
  }
  ComparisonReport report;
  if (std::min(scored_source, scored_wanted) < min_cells) {
    report.why_empty = fmt::format(
        "{:.0f} cells of other contexts and {:.0f} real cells of the wanted one are left to score "
        "against; at least {:.0f} of each are needed",
        scored_source, scored_wanted, min_cells);
    return report;
  }
  const Shifts shifts = learn_shifts(source, wanted);
  report.groups.push_back(score_group("all", all, shifts, model));
  std::vector<ScoredGroup> by_type;
  for (std::size_t k : matched) by_type.push_back(score_group(type_names[k], {k}, shifts, model));
  if (by_type.size() > 1) report.groups.push_back(mean_over(by_type, "mean over types"));
  report.groups.insert(report.groups.end(), by_type.begin(), by_type.end());
  return report;
}

ScoredGroup mean_over(const std::vector<ScoredGroup>& groups, const std::string& name) {
  ScoredGroup mean{name, 0, 0, {}};
  for (const ScoredGroup& group : groups) {
    mean.source_cells += group.source_cells;
    mean.wanted_cells += group.wanted_cells;
  }
  for (const ScoredRow& row : groups.front().rows) {
    Scores sum;
    std::size_t found = 0;
    for (const ScoredGroup& group : groups)
      for (const ScoredRow& other : group.rows)
        if (other.name == row.name) {
          sum.cor += other.scores.cor;
          sum.err += other.scores.err;
          sum.err100 += other.scores.err100;
          ++found;
        }
    if (found != groups.size()) continue;
    const double n = static_cast<double>(found);
    mean.rows.push_back({row.name, {sum.cor / n, sum.err / n, sum.err100 / n}});
  }
  return mean;
}

}  // namespace cellmill::infer
