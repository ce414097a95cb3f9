#include "infer/perturbation_answer.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/format.h"

namespace cellmill::infer {
namespace {

constexpr float kAbsent = std::numeric_limits<float>::quiet_NaN();

/// Variants one after another, whatever block they are in.
class VariantReader {
 public:
  VariantReader(const PerturbationPlan& plan, const PerturbationPieces& pieces)
      : plan_(plan), pieces_(pieces) {}

  /// Calls use(cell, set, row of the cell's scores, its genes' cosines or null) for every variant.
  template <class Use>
  void each(const PerturbationQuestion& question, const Use& use) const {
    std::int64_t block = -1, variant = 0;
    std::size_t gene = 0;
    Scores held;
    for (std::int64_t cell = 0; cell < plan_.cells.size(); ++cell) {
      const auto tokens = plan_.cells[cell];
      const std::size_t genes = tokens.size() - (question.rules.special_tokens ? 2 : 0);
      for (const auto set : perturbations_of(question, plan_.sets, tokens)) {
        if (block < 0 || variant == plan_.blocks[static_cast<std::size_t>(block) + 1]) {
          held = pieces_.read(++block);
          gene = 0;
        }
        const auto row = variant++ - plan_.blocks[static_cast<std::size_t>(block)];
        use(cell, set, held.cells.const_data_ptr<float>() + row * held.cells.size(1),
            held.genes.empty() ? nullptr : held.genes.data() + gene);
        gene += genes;
      }
    }
  }

 private:
  const PerturbationPlan& plan_;
  const PerturbationPieces& pieces_;
};

std::vector<std::string> columns_of(const PerturbationAnswer& answer) {
  std::vector<std::string> columns = {"cosine", "mean_gene_cosine"};
  for (const std::string& state : answer.states) columns.push_back("shift_to_" + state);
  return columns;
}

std::vector<std::string> ids_of(const PerturbationAnswer& answer, const GeneLabels& labels) {
  std::vector<std::string> ids;
  for (const GeneSet& set : answer.plan.sets) ids.push_back(labels.id(set));
  return ids;
}

/// One text a row.
Column text_column(const std::string& name, const std::vector<std::string>& texts) {
  Categorical out;
  std::map<std::string, std::int32_t> code;
  for (const std::string& text : texts) {
    const auto [place, added] =
        code.emplace(text, static_cast<std::int32_t>(out.categories.size()));
    if (added) out.categories.push_back(text);
    out.codes.push_back(place->second);
  }
  return {name, out};
}

/// "17", "17+4".
std::string tokens_of(const GeneSet& set) { return fmt::format("{}", fmt::join(set, "+")); }

/// Sums of the scores of each perturbation, for its means.
struct Sums {
  Sums(std::size_t sets, std::size_t columns)
      : count(sets), total(sets * columns), width(columns) {}
  void add(std::int32_t set, const float* row) {
    ++count[static_cast<std::size_t>(set)];
    for (std::size_t c = 0; c < width; ++c)
      total[static_cast<std::size_t>(set) * width + c] += static_cast<double>(row[c]);
  }
  at::Tensor means() const {
    const auto sets = static_cast<std::int64_t>(count.size());
    const auto columns = static_cast<std::int64_t>(width);
    return at::tensor(total, at::kDouble).view({sets, columns}) /
           at::tensor(count, at::kDouble).view({sets, 1});
  }
  std::vector<std::int64_t> count;
  std::vector<double> total;
  std::size_t width;
};

PerturbationSummary summary_of(const PerturbationAnswer& answer, const GeneLabels& labels,
                               const Sums& sums) {
  PerturbationSummary out{{}, {}, columns_of(answer), sums.count, sums.means()};
  for (const GeneSet& set : answer.plan.sets) {
    out.names.push_back(labels.name(set));
    out.tokens.push_back(tokens_of(set));
  }
  return out;
}

/// What describes the perturbations.
std::vector<Column> set_columns(const PerturbationSummary& summary) {
  std::vector<Column> columns = {text_column("gene_name", summary.names),
                                 text_column("token", summary.tokens)};
  columns.push_back(
      {"n_detections", std::vector<float>(summary.detections.begin(), summary.detections.end())});
  const at::Tensor means = summary.means.to(at::kFloat).t().contiguous();
  for (std::size_t c = 0; c < summary.columns.size(); ++c) {
    const auto* mean = means.const_data_ptr<float>() + static_cast<std::int64_t>(c) * means.size(1);
    columns.push_back(
        {"mean_" + summary.columns[c], std::vector<float>(mean, mean + means.size(1))});
  }
  return columns;
}

/// Mean and deviation over cells of each gene's cosine, for perturbations [first, first + size).
class GeneTable {
 public:
  GeneTable(const std::vector<std::int32_t>& column_of, std::int64_t genes, std::int64_t first,
            std::int64_t size)
      : column_of_(column_of),
        genes_(genes),
        first_(first),
        count_(static_cast<std::size_t>(size * genes)),
        mean_(count_.size()),
        square_(count_.size()) {}

  /// Welford's update, so that cosines that are all near 1 keep their deviation.
  void add(std::int32_t set, std::span<const std::int32_t> genes, const float* cosines) {
    const std::int64_t row = (set - first_) * genes_;
    for (std::size_t i = 0; i < genes.size(); ++i) {
      if (std::isnan(cosines[i])) continue;
      const auto at =
          static_cast<std::size_t>(row + column_of_[static_cast<std::size_t>(genes[i])]);
      const double difference = static_cast<double>(cosines[i]) - mean_[at];
      mean_[at] += difference / static_cast<double>(++count_[at]);
      square_[at] += difference * (static_cast<double>(cosines[i]) - mean_[at]);
    }
  }

  void write(ResultFile& file) const {
    const auto rows = static_cast<std::int64_t>(count_.size()) / std::max<std::int64_t>(genes_, 1);
    const at::Tensor mean = at::full({rows, genes_}, kAbsent), stdev = mean.clone();
    const at::Tensor count = at::zeros({rows, genes_});
    for (std::size_t i = 0; i < count_.size(); ++i) {
      if (count_[i] == 0) continue;
      mean.mutable_data_ptr<float>()[i] = static_cast<float>(mean_[i]);
      stdev.mutable_data_ptr<float>()[i] =
          static_cast<float>(std::sqrt(square_[i] / static_cast<double>(count_[i])));
      count.mutable_data_ptr<float>()[i] = static_cast<float>(count_[i]);
    }
    file.append("X", mean);
    file.append("stdev", stdev);
    file.append("n_detections", count);
  }

 private:
  const std::vector<std::int32_t>& column_of_;
  std::int64_t genes_, first_;
  std::vector<std::int64_t> count_;
  std::vector<double> mean_, square_;
};

std::span<const std::int32_t> genes_of(const PerturbationAnswer& answer, std::int64_t cell) {
  const auto tokens = answer.plan.cells[cell];
  const std::size_t special = answer.question.rules.special_tokens ? 1 : 0;
  return tokens.subspan(special, tokens.size() - 2 * special);
}

}  // namespace

GeneLabels::GeneLabels(const data::GeneDictionary& dictionary) : dictionary_(dictionary) {
  for (const auto& [name, gene] : dictionary.names) {
    if (name.starts_with("ENS")) continue;
    std::string& known = name_of_[gene];
    if (known.empty() || name < known) known = name;
  }
}

std::string GeneLabels::id(const GeneSet& set) const {
  std::string text;
  for (const auto gene : set)
    text += (text.empty() ? "" : "+") + dictionary_.tokens[static_cast<std::size_t>(gene)];
  return text;
}

std::string GeneLabels::name(const GeneSet& set) const {
  std::string text;
  for (const auto gene : set) {
    const std::string& own = dictionary_.tokens[static_cast<std::size_t>(gene)];
    const auto known = name_of_.find(own);
    text += (text.empty() ? "" : "+") + (known == name_of_.end() ? own : known->second);
  }
  return text;
}

PerturbationSummary write_cells(const PerturbationAnswer& answer, const PerturbationPieces& pieces,
                                const std::string& path) {
  const GeneLabels labels(answer.dictionary);
  const auto columns = columns_of(answer);
  const auto sets = static_cast<std::int64_t>(answer.plan.sets.size());
  ResultLayout layout{answer.cells.names, ids_of(answer, labels), columns};
  layout.matrices[0] = "X";
  const auto matrices = layout.matrices;
  const auto file = make_result_file(path, std::move(layout));
  Sums sums(answer.plan.sets.size(), columns.size());
  const at::Tensor row = at::full({static_cast<std::int64_t>(columns.size()), 1, sets}, kAbsent);
  std::int64_t open = 0;
  const auto close_until = [&](std::int64_t cell) {
    for (; open < cell; ++open) {
      for (std::size_t c = 0; c < matrices.size(); ++c)
        file->append(matrices[c], row[static_cast<std::int64_t>(c)]);
      row.fill_(kAbsent);
    }
  };
  VariantReader(answer.plan, pieces)
      .each(answer.question, [&](std::int64_t cell, std::int32_t set, const float* scores, auto) {
        close_until(cell);
        for (std::size_t c = 0; c < matrices.size(); ++c)
          row.mutable_data_ptr<float>()[static_cast<std::int64_t>(c) * sets + set] = scores[c];
        sums.add(set, scores);
      });
  close_until(answer.plan.cells.size());

  auto summary = summary_of(answer, labels, sums);
  Annotations annotations{answer.cells.labels, set_columns(summary), {}, answer.facts};
  std::vector<float> lengths;
  for (std::int64_t cell = 0; cell < answer.plan.cells.size(); ++cell)
    lengths.push_back(static_cast<float>(answer.plan.cells.length(cell)));
  annotations.obs.push_back({"length", std::move(lengths)});
  file->finish(annotations);
  return summary;
}

PerturbationSummary write_genes(const PerturbationAnswer& answer, const PerturbationPieces& pieces,
                                const std::string& path) {
  const GeneLabels labels(answer.dictionary);
  std::vector<std::int32_t> column_of(answer.dictionary.tokens.size(), -1);
  std::vector<std::string> ids, names, tokens;
  for (std::int64_t cell = 0; cell < answer.plan.cells.size(); ++cell)
    for (const auto gene : genes_of(answer, cell)) column_of[static_cast<std::size_t>(gene)] = 0;
  for (std::size_t token = 0; token < column_of.size(); ++token) {
    if (column_of[token] < 0) continue;
    column_of[token] = static_cast<std::int32_t>(ids.size());
    ids.push_back(labels.id({static_cast<std::int32_t>(token)}));
    names.push_back(labels.name({static_cast<std::int32_t>(token)}));
    tokens.push_back(std::to_string(token));
  }
  const auto genes = static_cast<std::int64_t>(ids.size());
  const auto sets = static_cast<std::int64_t>(answer.plan.sets.size());
  const auto file =
      make_result_file(path, {ids_of(answer, labels), ids, {"X", "stdev", "n_detections"}});
  Sums sums(answer.plan.sets.size(), columns_of(answer).size());
  constexpr std::int64_t kHeld = std::int64_t{1} << 23;  // places of the table at a time
  const std::int64_t size = std::max<std::int64_t>(1, kHeld / std::max<std::int64_t>(genes, 1));
  for (std::int64_t first = 0; first < sets; first += size) {
    const std::int64_t end = std::min(sets, first + size);
    GeneTable table(column_of, genes, first, end - first);
    VariantReader(answer.plan, pieces)
        .each(answer.question,
              [&](std::int64_t cell, std::int32_t set, const float* scores, const float* cosines) {
                if (set < first || set >= end) return;
                sums.add(set, scores);
                table.add(set, genes_of(answer, cell), cosines);
              });
    table.write(*file);
  }
  auto summary = summary_of(answer, labels, sums);
  file->finish({set_columns(summary),
                {text_column("gene_name", names), text_column("token", tokens)},
                {},
                answer.facts});
  return summary;
}

std::string text_of(const PerturbationSummary& summary, std::int64_t most) {
  const bool goal = summary.columns.size() > 3;  // states: start, goal, others
  const std::int64_t by = goal ? 3 : 0;
  const at::Tensor means = summary.means.contiguous();
  const auto mean = [&](std::size_t set, std::int64_t column) {
    return means.const_data_ptr<double>()[static_cast<std::int64_t>(set) * means.size(1) + column];
  };
  std::vector<std::size_t> order(summary.names.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  order.erase(std::remove_if(order.begin(), order.end(),
                             [&](auto set) { return summary.detections[set] == 0; }),
              order.end());
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) {
    return goal ? mean(a, by) > mean(b, by) : mean(a, by) < mean(b, by);
  });
  std::string text = fmt::format("{:<28}{:>7}", "perturbed", "cells");
  for (const std::string& column : summary.columns) text += fmt::format("  {:>16}", column);
  for (std::size_t i = 0; i < order.size() && static_cast<std::int64_t>(i) < most; ++i) {
    text += fmt::format("\n{:<28}{:>7}", summary.names[order[i]], summary.detections[order[i]]);
    for (std::int64_t c = 0; c < means.size(1); ++c)
      text += fmt::format("  {:>16.6f}", mean(order[i], c));
  }
  if (static_cast<std::int64_t>(order.size()) > most)
    text += fmt::format("\n... {} more", static_cast<std::int64_t>(order.size()) - most);
  return text;
}

}  // namespace cellmill::infer
