#include "infer/embedding.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace cellmill::infer {

at::ScalarType precision_of(const EmbeddingOptions& options) {
  if (options.method == Method::kPacked) return options.precision;
  return options.method == Method::kMixedPrecision ? at::kBFloat16 : at::kFloat;
}

std::int64_t batch_cells_of(const EmbeddingOptions& options) {
  if (options.batch_cells > 0) return options.batch_cells;
  return options.method == Method::kBaseline ? 10 : 32;
}

std::vector<std::vector<std::int64_t>> plan_batches(const data::Sequences& window,
                                                    const EmbeddingOptions& options) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(window.size()));
  std::iota(order.begin(), order.end(), 0);
  std::erase_if(order, [&](std::int64_t cell) { return window.length(cell) == 0; });
  if (options.method != Method::kBaseline)
    std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
      return window.length(a) > window.length(b);
    });
  std::vector<std::vector<std::int64_t>> batches;
  std::int64_t tokens = 0;
  for (const std::int64_t cell : order) {
    const bool full = batches.empty() || (options.method == Method::kPacked
                                              ? tokens + window.length(cell) > options.batch_tokens
                                              : static_cast<std::int64_t>(batches.back().size()) ==
                                                    batch_cells_of(options));
    if (full) {
      batches.emplace_back();
      tokens = 0;
    }
    batches.back().push_back(cell);
    tokens += window.length(cell);
  }
  return batches;
}

std::int64_t share_of(std::int64_t batch, std::int64_t shares) {
  const std::int64_t place = batch % shares;
  return batch / shares % 2 == 0 ? place : shares - 1 - place;
}

data::Sequences chosen(const data::Sequences& window, const std::vector<std::int64_t>& cells) {
  data::Sequences sequences;
  for (const std::int64_t cell : cells) sequences.append(window[cell]);
  return sequences;
}

Embedder::Embedder(models::SequenceEncoder& encoder, const EmbeddingOptions& options)
    : encoder_(encoder), options_(options) {
  check_pooling(options.pooling, encoder.rank_options());
  encoder.freeze(precision_of(options));
}

at::Tensor Embedder::hidden(const data::Sequences& cells) {
  if (options_.method == Method::kPacked) return encoder_.encode(cells, options_.layer);
  return encoder_.encode_padded(cells, options_.layer, precision_of(options_));
}

at::Tensor Embedder::embed(const data::Sequences& cells) {
  const auto& dictionary = encoder_.dictionary();
  const at::Tensor rows = pooled(hidden(cells), cells, options_.pooling, dictionary).cpu();
  const at::Tensor finite = rows.isfinite().all(1);
  const auto genes = gene_rows(cells, dictionary);
  for (std::size_t i = 0; i < genes.size(); ++i)
    if (genes[i].size() > 0 && !finite.const_data_ptr<bool>()[i])
      throw Error(Exit::kInternal, "an embedding is not finite",
                  "are the model's weights finite? does it need --precision float32?");
  return rows;
}

}  // namespace cellmill::infer
