#include "data/rank_tokenizer.h"

#include <algorithm>
#include <cmath>
#include <future>
#include <limits>

#include "base/error.h"
#include "base/format.h"
#include "base/instruction_sets.h"
#include "base/unset_vector.h"
#include "data/rank_order.h"

namespace cellmill::data {
namespace {

CELLMILL_CLONES
double sum(const float* x, std::int64_t count) {
  double sums[8] = {};
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8)
    for (int k = 0; k < 8; ++k) sums[k] += static_cast<double>(x[i + k]);
  for (; i < count; ++i) sums[0] += static_cast<double>(x[i]);
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

struct Divisor {
  double value = std::numeric_limits<double>::infinity(), inverse = 0;  // of no gene
};

/// a / b as the processor would round it, from 1 / b: what the product leaves is exact (Markstein,
/// IBM J. Res. Dev. 34, 1990). A product alone would break other ties than the definition.
inline double quotient(double a, Divisor b) {
  const double q = a * b.inverse;
  return std::fma(std::fma(-q, b.value, a), b.inverse, q);
}

/// What is of no gene becomes no number, which is not > 0.
CELLMILL_CLONES
void scale(double* x, const std::int32_t* columns, std::int64_t count, double total,
           const Divisor* median) {
  const Divisor sum{total, 1 / total};
#ifndef __clang__  // which has no such pragma
#pragma GCC ivdep
#endif
  for (std::int64_t i = 0; i < count; ++i)
    x[i] = quotient(quotient(x[i], sum) * 10'000, median[columns[i]]);
}

struct Scratch {
  UnsetVector<double> values;
  std::vector<std::int32_t> columns;
  std::vector<std::int32_t> at;    // by column: where its gene stands in this row, or -1
  std::vector<std::int32_t> seen;  // whose `at` is not -1
  RankOrder order;
  std::vector<std::int32_t> cell;
};

}  // namespace

struct RankTokenizer::Tables {
  RankOptions options;
  bool ranked = false;
  RankMatch match;
  std::int32_t cls = -1, eos = -1;
  std::vector<std::int32_t> token;   // by column
  std::vector<Divisor> median;       // by column
  std::vector<std::int32_t> first;   // by column: the first one of its gene
  std::vector<std::uint8_t> shared;  // by column: does another mean its gene? Empty: none is

  const std::int32_t* gather(const std::int32_t* columns, const float* x, std::int64_t count,
                             Scratch& scratch) const;
  /// Was it cut?
  bool append_row(const std::int32_t* columns, const float* x, std::int64_t count, Scratch& scratch,
                  Sequences& sequences) const;
  /// Appends rows [begin, end); how many were cut?
  std::int64_t append_rows(const std::int64_t* indptr, const std::int32_t* indices,
                           const float* values, std::int64_t begin, std::int64_t end,
                           Sequences& sequences) const;
};

RankTokenizer::RankTokenizer(const std::vector<std::string>& columns,
                             const GeneDictionary& dictionary, RankOptions options, bool ranked)
    : tables_(std::make_unique<Tables>()) {
  Tables& t = *tables_;
  t.options = options;
  t.ranked = ranked;
  if (options.special_tokens && (dictionary.cls < 0 || dictionary.eos < 0))
    throw UsageError("the gene dictionary has no <cls> and <eos>",
                     "leave special tokens out, or take a dictionary of Geneformer V2");
  const std::int64_t least = options.special_tokens ? 3 : 1;
  if (options.max_length < least)
    throw UsageError(
        fmt::format("{} tokens of a cell hold no gene", options.max_length),
        fmt::format("at least {} are needed{}", least, least == 3 ? ", <cls> and <eos> too" : ""));
  if (options.special_tokens) std::tie(t.cls, t.eos) = std::pair(dictionary.cls, dictionary.eos);

  const GeneFinder finder(dictionary);
  const std::size_t count = columns.size();
  t.token.assign(count, -1);
  t.median.assign(count, {});
  t.first.assign(count, -1);
  t.shared.assign(count, 0);
  t.match.columns = static_cast<std::int64_t>(count);
  std::vector<std::int32_t> first_of(static_cast<std::size_t>(dictionary.size()), -1);
  for (std::size_t c = 0; c < count; ++c) {
    const auto token = finder.find(columns[c]);
    if (!token) continue;
    ++t.match.found;
    t.token[c] = *token;
    const double median = dictionary.medians[static_cast<std::size_t>(*token)];
    t.median[c] = {median, 1 / median};
    std::int32_t& first = first_of[static_cast<std::size_t>(*token)];
    if (first < 0) first = static_cast<std::int32_t>(c);
    t.first[c] = first;
    if (t.first[c] != static_cast<std::int32_t>(c)) t.shared[c] = t.shared[t.first[c]] = 1;
  }
  if (t.match.found == 0)
    throw DataError(
        {{},
         {},
         fmt::format("genes as the dictionary has them ({} genes)",
                     std::ranges::count_if(dictionary.medians, [](double m) { return m > 0; })),
         count == 0 ? "no columns" : fmt::format("{} columns, the first '{}'", count, columns[0])},
        "no column is a gene of the dictionary",
        "the names of columns must be Ensembl ids of its species, or names that it lists");
  t.match.summed = std::count(t.shared.begin(), t.shared.end(), 1);
  if (t.match.summed == 0) t.shared.clear();
}

RankTokenizer::~RankTokenizer() = default;
RankTokenizer::RankTokenizer(RankTokenizer&&) noexcept = default;
const RankMatch& RankTokenizer::match() const { return tables_->match; }
const RankOptions& RankTokenizer::options() const { return tables_->options; }

/// A row's values, and for each the first column of its gene: where several columns mean one, the
/// first in the row has their sum, the others 0.
const std::int32_t* RankTokenizer::Tables::gather(const std::int32_t* columns, const float* x,
                                                  std::int64_t count, Scratch& scratch) const {
  if (static_cast<std::int64_t>(scratch.values.size()) < count)
    scratch.values.resize(static_cast<std::size_t>(count));
  double* values = scratch.values.data();
  std::copy(x, x + count, values);
  if (shared.empty()) return columns;
  scratch.columns.assign(columns, columns + count);
  scratch.at.resize(first.size(), -1);
  for (std::int64_t i = 0; i < count; ++i) {
    if (!shared[columns[i]]) continue;
    const auto gene = scratch.columns[i] = first[columns[i]];
    if (scratch.at[gene] < 0) {
      scratch.at[gene] = static_cast<std::int32_t>(i);
      scratch.seen.push_back(gene);
    } else {
      values[scratch.at[gene]] += values[i];
      values[i] = 0;
    }
  }
  for (const auto gene : scratch.seen) scratch.at[gene] = -1;
  scratch.seen.clear();
  return scratch.columns.data();
}

bool RankTokenizer::Tables::append_row(const std::int32_t* columns, const float* x,
                                       std::int64_t count, Scratch& scratch,
                                       Sequences& sequences) const {
  const std::int32_t* places = gather(columns, x, count, scratch);
  double* values = scratch.values.data();
  if (ranked) {
    for (std::int64_t i = 0; i < count; ++i)
      if (token[places[i]] < 0) values[i] = 0;
  } else {
    scale(values, places, count, sum(x, count), median.data());
  }
  const bool special = options.special_tokens;
  const auto order = scratch.order.sort({values, static_cast<std::size_t>(count)}, places,
                                        options.max_length - (special ? 2 : 0));
  scratch.cell.resize(order.size() + (special ? 2 : 0));
  std::int32_t* to = scratch.cell.data();
  if (special) *to++ = cls;
  for (const std::uint64_t entry : order) *to++ = token[places[RankOrder::index(entry)]];
  if (special) *to = eos;
  sequences.append(scratch.cell);
  return order.size() < scratch.order.found();
}

std::int64_t RankTokenizer::Tables::append_rows(const std::int64_t* indptr,
                                                const std::int32_t* indices, const float* values,
                                                std::int64_t begin, std::int64_t end,
                                                Sequences& sequences) const {
  std::size_t room = sequences.tokens.size();
  for (std::int64_t row = begin; row < end; ++row)
    room +=
        static_cast<std::size_t>(std::min(options.max_length, indptr[row + 1] - indptr[row] + 2));
  if (const auto held = sequences.tokens.capacity(); room > held)
    sequences.tokens.reserve(std::max(room, 2 * held));
  Scratch scratch;
  std::int64_t cut = 0;
  for (std::int64_t row = begin; row < end; ++row)
    cut += append_row(indices + indptr[row], values + indptr[row], indptr[row + 1] - indptr[row],
                      scratch, sequences);
  return cut;
}

std::int64_t RankTokenizer::append(const std::int64_t* indptr, const std::int32_t* indices,
                                   const float* values, std::int64_t cells, Sequences& sequences,
                                   int threads) const {
  const std::int64_t parts = std::clamp<std::int64_t>(threads, 1, std::max<std::int64_t>(cells, 1));
  if (parts == 1) return tables_->append_rows(indptr, indices, values, 0, cells, sequences);
  struct Made {
    Sequences sequences;
    std::int64_t cut = 0;
  };
  std::vector<std::future<Made>> running;
  for (std::int64_t part = 0; part < parts; ++part)
    running.push_back(std::async(std::launch::async, [=, this] {
      Made made;
      made.cut = tables_->append_rows(indptr, indices, values, cells * part / parts,
                                      cells * (part + 1) / parts, made.sequences);
      return made;
    }));
  std::int64_t cut = 0;
  for (auto& part : running) {
    const Made made = part.get();
    cut += made.cut;
    const auto held = static_cast<std::int64_t>(sequences.tokens.size());
    sequences.tokens.insert(sequences.tokens.end(), made.sequences.tokens.begin(),
                            made.sequences.tokens.end());
    for (std::int64_t row = 1; row <= made.sequences.size(); ++row)
      sequences.offsets.push_back(held + made.sequences.offsets[static_cast<std::size_t>(row)]);
  }
  return cut;
}

}  // namespace cellmill::data
