#pragma once
// From the hidden states of packed cells to embeddings: which layer, which rows. Two conventions
// count layers from the end, and differ by one: helical's -1 is the last layer, upstream
// Geneformer's the second to last. Facts: jkobject/geneformer emb_extractor, helicalAI/helical.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "data/gene_dictionary.h"
#include "data/rank_tokenizer.h"
#include "data/sequences.h"

namespace cellmill::infer {

enum class LayerConvention { kUpstream, kHelical };
/// kCell: mean of a cell's genes. kCls: its <cls>. kGene: a vector a gene.
enum class Pooling { kCell, kCls, kGene };

/// The place in `hidden_states` (0: the embeddings, `layers`: the last layer) that `emb_layer`
/// means. kUpstream: layers + emb_layer, from -layers to 0. kHelical: Python's
/// hidden_states[emb_layer], from -layers - 1 to layers. Throws UsageError beyond that.
std::int64_t hidden_layer(std::int64_t emb_layer, LayerConvention convention, std::int64_t layers);

/// Throws UsageError: kCls of cells without <cls>.
void check_pooling(Pooling pooling, const data::RankOptions& options);

/// Rows [begin, end) of hidden states.
struct Rows {
  std::int64_t begin = 0, end = 0;
  std::int64_t size() const { return end - begin; }
  bool operator==(const Rows&) const = default;
};

/// The rows of every cell's genes: without a <cls> before and an <eos> behind them.
std::vector<Rows> gene_rows(const data::Sequences& cells, const data::GeneDictionary& dictionary);

/// The mean of each range of rows of `hidden` [T, width]: [ranges, width], NaN where one is empty.
at::Tensor mean_of_rows(const at::Tensor& hidden, const std::vector<Rows>& ranges);

/// [cells, width]: kCell or kCls of every cell; NaN for one without a token for it.
at::Tensor pooled(const at::Tensor& hidden, const data::Sequences& cells, Pooling pooling,
                  const data::GeneDictionary& dictionary);

}  // namespace cellmill::infer
