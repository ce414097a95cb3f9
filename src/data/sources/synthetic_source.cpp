#include "data/sources/synthetic_source.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/format.h"
#include "base/nearest.h"
#include "base/random.h"

namespace cellmill::data {
namespace {

using random::normal;

constexpr double kDepthSpread = 0.25;  // standard deviation of log depth over cells
constexpr double kNormalAbove = 50;    // rates from which a Poisson draw is a rounded normal one

struct Kind {
  const char* name;
  double strength, gene_fraction;
};
constexpr std::array<Kind, 5> kKinds = {{{"cell_type", 1.2, 0.08},
                                         {"tissue", 0.6, 0.04},
                                         {"assay", 0.5, 0.10},
                                         {"sex", 0.4, 0.02},
                                         {"perturbation", 0.8, 0.06}}};
constexpr std::size_t kNamed = 4;  // fields with a name where none is given

Kind kind_of(const std::string& field) {
  const auto* found = std::find_if(kKinds.begin(), kKinds.end(),
                                   [&](const Kind& kind) { return kind.name == field; });
  return found != kKinds.end() ? *found : Kind{"field", 0.6, 0.05};
}

enum Stream : std::uint64_t { kMu, kWhich, kDelta, kLabel, kMissingLabel, kDepth, kCount };

std::uint64_t draw(std::uint64_t seed, Stream stream, std::uint64_t a = 0, std::uint64_t b = 0) {
  return random::bits(random::Use::kSynthetic, {seed, stream, a, b});
}

/// By inversion of the distribution function. The bound exp(-x) >= 1 - x settles most zeros.
float poisson(std::uint64_t bits, double rate) {
  if (rate > kNormalAbove)
    return static_cast<float>(std::max(0.0, std::round(rate + std::sqrt(rate) * normal(bits))));
  double u = random::unit(bits);
  if (u < 1 - rate) return 0;
  float count = 0;
  for (double p = std::exp(-rate); u >= p && p > 1e-300; p *= rate / count) {
    u -= p;
    count += 1;
  }
  return count;
}

void require(bool holds, const char* what) {
  if (!holds) throw UsageError(fmt::format("synthetic data: {}", what), {}, Exit::kConfig);
}

std::string name_of(const SourceOptions& options, std::size_t field) {
  if (!options.synthetic_fields.empty()) return options.synthetic_fields[field];
  return field < kNamed ? kKinds[field].name : fmt::format("field_{}", field + 1);
}

}  // namespace

SyntheticSource::SyntheticSource(const SourceOptions& options) : options_(options) {
  require(options.synthetic_cells >= 0, "synthetic_cells must be at least 0");
  require(options.synthetic_genes >= 2, "synthetic_genes must be at least 2");
  require(options.chunk_cells >= 1, "chunk_cells must be at least 1");
  require(options.synthetic_density > 0 && options.synthetic_density < 1,
          "synthetic_density must be between 0 and 1");
  require(options.synthetic_fields.empty() ||
              options.synthetic_fields.size() == options.synthetic_categories.size(),
          "synthetic_fields must name as many fields as synthetic_categories has");
  for (std::size_t f = 0; f < options.synthetic_categories.size(); ++f) {
    require(options.synthetic_categories[f] >= 1, "synthetic_categories must be at least 1 each");
    planted_.push_back({name_of(options, f), {}});
    for (std::int64_t c = 0; c < options.synthetic_categories[f]; ++c)
      planted_[f].categories.push_back(fmt::format("{}_{}", planted_[f].name, c));
  }
  std::vector<std::string> names;
  for (const Field& field : planted_) names.push_back(field.name);
  for (const auto& name : options.fields.empty() ? names : options.fields) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end())
      throw UsageError(fmt::format("the synthetic data have no field '{}'", name),
                       did_you_mean(name, names), Exit::kConfig);
    columns_.push_back(found - names.begin());
    vocabulary_.fields.push_back(planted_[columns_.back()]);
  }
  for (std::int64_t g = 0; g < options.synthetic_genes; ++g)
    vocabulary_.genes.push_back(fmt::format("gene_{}", g));
  for (std::int64_t cell = 0; cell < options.synthetic_cells; cell += options.chunk_cells) {
    const auto rows = std::min(options.chunk_cells, options.synthetic_cells - cell);
    index_.push_back({static_cast<std::int64_t>(index_.size()), rows, cell,
                      fmt::format("synthetic cells {} to {}", cell, cell + rows - 1)});
  }
  for (const auto& combination : options.synthetic_held_out) hold_out(combination);
  plant();
  choose_depth();
}

void SyntheticSource::hold_out(const std::string& combination) {
  std::vector<std::string> all;
  std::vector<std::int32_t> codes(planted_.size(), kMissing);
  for (std::size_t begin = 0; begin <= combination.size();) {
    const auto end = std::min(combination.find('+', begin), combination.size());
    const auto wanted = combination.substr(begin, end - begin);
    begin = end + 1;
    bool found = false;
    for (std::size_t f = 0; f < planted_.size(); ++f)
      for (std::size_t c = 0; c < planted_[f].categories.size(); ++c) {
        all.push_back(planted_[f].categories[c]);
        if (all.back() != wanted) continue;
        codes[f] = static_cast<std::int32_t>(c);
        found = true;
      }
    if (!found)
      throw UsageError(fmt::format("synthetic_held_out: no category '{}'", wanted),
                       did_you_mean(wanted, all), Exit::kConfig);
  }
  held_out_.push_back(std::move(codes));
}

void SyntheticSource::plant() {
  const auto seed = options_.synthetic_seed;
  const auto genes = static_cast<std::size_t>(options_.synthetic_genes);
  base_.resize(genes);
  for (std::size_t g = 0; g < genes; ++g)
    base_[g] = static_cast<float>(std::exp(1.5 * normal(draw(seed, kMu, g))));
  effect_.resize(planted_.size());
  for (std::size_t f = 0; f < planted_.size(); ++f) {
    const auto kind = kind_of(planted_[f].name);
    const auto moved =
        std::max<std::size_t>(2, static_cast<std::size_t>(kind.gene_fraction * genes));
    effect_[f].resize(planted_[f].categories.size());
    cumulative_.emplace_back();
    for (std::size_t c = 1; c <= effect_[f].size(); ++c)
      cumulative_[f].push_back(std::pow(c, -0.7) + (c > 1 ? cumulative_[f].back() : 0));
    for (std::size_t c = 0; c < effect_[f].size(); ++c) {
      std::vector<std::int32_t> order(genes);
      std::iota(order.begin(), order.end(), 0);
      random::shuffle(order, random::Use::kSynthetic, draw(seed, kWhich, f, c));
      for (std::size_t k = 0; k < moved; ++k)
        effect_[f][c].push_back(
            {order[k], static_cast<float>(std::exp(kind.strength *
                                                   normal(draw(seed, kDelta, f * 65536 + c, k))))});
    }
  }
}

void SyntheticSource::choose_depth() {
  const double total = std::accumulate(base_.begin(), base_.end(), 0.0);
  double low = 1, high = 1e9;
  for (int i = 0; i < 60; ++i) {
    depth_ = std::sqrt(low * high);
    double density = 0;
    for (float w : base_) density += 1 - std::exp(-depth_ * w / total);
    (density / base_.size() < options_.synthetic_density ? low : high) = depth_;
  }
}

std::int32_t SyntheticSource::planted_code(std::int64_t cell, std::size_t field,
                                           std::uint64_t attempt) const {
  const auto& cumulative = cumulative_[field];
  const double u = cumulative.back() * random::unit(draw(options_.synthetic_seed, kLabel, cell,
                                                         field + (attempt << 32)));
  return static_cast<std::int32_t>(std::upper_bound(cumulative.begin(), cumulative.end() - 1, u) -
                                   cumulative.begin());
}

std::vector<std::int32_t> SyntheticSource::planted_codes(std::int64_t cell) const {
  constexpr std::uint64_t kMost = 1000;
  std::vector<std::int32_t> codes(planted_.size());
  const auto is = [&](const std::vector<std::int32_t>& combination) {
    for (std::size_t f = 0; f < codes.size(); ++f)
      if (combination[f] != kMissing && combination[f] != codes[f]) return false;
    return true;
  };
  for (std::uint64_t attempt = 0; attempt < kMost; ++attempt) {
    for (std::size_t f = 0; f < codes.size(); ++f) codes[f] = planted_code(cell, f, attempt);
    if (std::none_of(held_out_.begin(), held_out_.end(), is)) return codes;
  }
  throw UsageError("synthetic_held_out leaves hardly any combination", {}, Exit::kConfig);
}

double SyntheticSource::weights(const std::vector<std::int32_t>& codes,
                                std::vector<float>& weight) const {
  weight = base_;
  for (std::size_t f = 0; f < codes.size(); ++f)
    if (codes[f] != kMissing)
      for (const Effect& effect : effect_[f][codes[f]]) weight[effect.gene] *= effect.factor;
  return std::accumulate(weight.begin(), weight.end(), 0.0);
}

void SyntheticSource::add_cell(std::int64_t cell, std::vector<float>& weight, Chunk& chunk) const {
  const auto seed = options_.synthetic_seed;
  const auto codes = planted_codes(cell);
  const double depth = depth_ * std::exp(kDepthSpread * normal(draw(seed, kDepth, cell)));
  const double scale = depth / weights(codes, weight);
  const auto key = draw(seed, kCount, cell);
  const std::size_t begin = chunk.values.size();
  double sum = 0;
  for (std::size_t g = 0; g < weight.size(); ++g)
    if (const float count =
            poisson(random::bits(random::Use::kSynthetic, {key, g}), weight[g] * scale);
        count > 0) {
      chunk.indices.push_back(static_cast<std::int32_t>(g));
      chunk.values.push_back(count);
      sum += count;
    }
  for (std::size_t k = options_.synthetic_counts ? chunk.values.size() : begin;
       k < chunk.values.size(); ++k)
    chunk.values[k] = std::log1p(chunk.values[k] * static_cast<float>(1e4 / sum));
  chunk.indptr.push_back(static_cast<std::int64_t>(chunk.values.size()));
  for (std::size_t column : columns_) {
    const bool left_out =
        random::unit(draw(seed, kMissingLabel, cell, column)) < options_.synthetic_missing;
    chunk.labels.push_back(left_out ? kMissing : codes[column]);
  }
}

std::int64_t SyntheticSource::append(const ChunkInfo& chunk, std::int64_t begin, std::int64_t end,
                                     Chunk& rows) const {
  std::vector<float> weight;
  for (std::int64_t row = begin; row < end; ++row) add_cell(chunk.first_cell + row, weight, rows);
  rows.rows += end - begin;
  return 0;
}

std::int64_t SyntheticSource::entries() const {
  return static_cast<std::int64_t>(static_cast<double>(options_.synthetic_cells) *
                                   static_cast<double>(options_.synthetic_genes) *
                                   options_.synthetic_density);
}

std::vector<float> SyntheticSource::expected_expression(
    const std::vector<std::int32_t>& codes) const {
  require(codes.size() == planted_.size(), "expected_expression takes one code a planted field");
  for (std::size_t f = 0; f < codes.size(); ++f)
    require(
        codes[f] >= kMissing && codes[f] < static_cast<std::int32_t>(planted_[f].categories.size()),
        "a code that is not planted");
  std::vector<float> weight;
  const double total = weights(codes, weight);
  // Gauss-Hermite over depth, the Poisson sum over the gene's own count, the other genes' counts at
  // their mean.
  constexpr std::array<std::array<double, 2>, 5> kNodes = {{{-2.8569700, 0.0112574},
                                                            {-1.3556262, 0.2220759},
                                                            {0, 0.5333334},
                                                            {1.3556262, 0.2220759},
                                                            {2.8569700, 0.0112574}}};
  std::vector<float> expected(weight.size());
  for (std::size_t g = 0; g < weight.size(); ++g) {
    const double share = weight[g] / total;
    double mean = 0;
    for (const auto& [z, node_weight] : kNodes) {
      const double depth = depth_ * std::exp(kDepthSpread * z), rate = depth * share;
      double value = 0;
      if (rate > 10 * kNormalAbove) {
        value = std::log1p(1e4 * share);
      } else {
        double p = std::exp(-rate);
        for (int n = 1; n < rate + 12 * std::sqrt(rate) + 20; ++n) {
          p *= rate / n;
          value += p * std::log1p(1e4 * n / (n + depth * (1 - share)));
        }
      }
      mean += node_weight * value;
    }
    expected[g] = static_cast<float>(mean);
  }
  return expected;
}

}  // namespace cellmill::data
