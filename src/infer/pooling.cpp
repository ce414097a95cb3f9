#include "infer/pooling.h"

#include <ATen/ATen.h>

#include <limits>

#include "base/error.h"
#include "base/format.h"

namespace cellmill::infer {

std::int64_t hidden_layer(std::int64_t emb_layer, LayerConvention convention, std::int64_t layers) {
  const bool upstream = convention == LayerConvention::kUpstream;
  const std::int64_t lowest = upstream ? -layers : -layers - 1, highest = upstream ? 0 : layers;
  if (emb_layer < lowest || emb_layer > highest)
    throw UsageError(
        fmt::format("no layer {}: in the convention {} a model of {} layers has {} to {}",
                    emb_layer, upstream ? "upstream" : "helical", layers, lowest, highest),
        upstream ? "0 is the last layer, -1 the second to last"
                 : "-1 is the last layer, 0 the embeddings");
  return upstream ? layers + emb_layer : emb_layer < 0 ? layers + 1 + emb_layer : emb_layer;
}

void check_pooling(Pooling pooling, const data::RankOptions& options) {
  if (pooling == Pooling::kCls && !options.special_tokens)
    throw UsageError("mode cls: the model's cells have no <cls> token (V1)",
                     "mode cell is the mean of a cell's genes");
}

std::vector<Rows> gene_rows(const data::Sequences& cells, const data::GeneDictionary& dictionary) {
  std::vector<Rows> ranges;
  for (std::size_t i = 0; i + 1 < cells.offsets.size(); ++i) {
    Rows rows{cells.offsets[i], cells.offsets[i + 1]};
    const auto token = [&](std::int64_t row) {
      return cells.tokens[static_cast<std::size_t>(row)];
    };
    if (dictionary.cls >= 0 && rows.size() > 0 && token(rows.begin) == dictionary.cls) ++rows.begin;
    if (dictionary.eos >= 0 && rows.size() > 0 && token(rows.end - 1) == dictionary.eos) --rows.end;
    ranges.push_back(rows);
  }
  return ranges;
}

at::Tensor mean_of_rows(const at::Tensor& hidden, const std::vector<Rows>& ranges) {
  at::Tensor means = at::full({static_cast<std::int64_t>(ranges.size()), hidden.size(1)},
                              std::numeric_limits<float>::quiet_NaN(), hidden.options());
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    if (ranges[i].size() == 0) continue;
    at::Tensor mean = means[static_cast<std::int64_t>(i)];
    at::mean_out(mean, hidden.narrow(0, ranges[i].begin, ranges[i].size()), 0);
  }
  return means;
}

at::Tensor pooled(const at::Tensor& hidden, const data::Sequences& cells, Pooling pooling,
                  const data::GeneDictionary& dictionary) {
  if (pooling == Pooling::kCell) return mean_of_rows(hidden, gene_rows(cells, dictionary));
  std::vector<Rows> firsts;
  for (std::size_t i = 0; i + 1 < cells.offsets.size(); ++i) {
    const std::int64_t first = cells.offsets[i];
    const bool has = cells.offsets[i + 1] > first &&
                     cells.tokens[static_cast<std::size_t>(first)] == dictionary.cls;
    firsts.push_back({first, first + (has ? 1 : 0)});
  }
  return mean_of_rows(hidden, firsts);
}

}  // namespace cellmill::infer
