#pragma once
// Genes that tell the values of a field apart, chosen by the labelled training cells alone: the
// largest F statistics (variance between values over variance within) of y. Where few samples are
// labelled an encoder that reads these genes and no other generalises; one that reads all does not.
#include <ATen/core/Tensor.h>

#include <cstdint>

#include "nn/sparse.h"

namespace cellmill::models {

/// Room for the sums of a field of so many words, float64, that add over batches and ranks.
std::int64_t marker_sums_size(std::int64_t words, std::int64_t genes);

/// Adds cells y to `sums` [marker_sums_size]; `word` [B] int64, -1 where a cell does not count.
void add_marker_sums(at::Tensor sums, const nn::Csr& y, const at::Tensor& word);

/// bool [genes], `count` of them true, or fewer: only genes that vary (variance over 0.1).
at::Tensor chosen_markers(const at::Tensor& sums, std::int64_t genes, std::int64_t count);

}  // namespace cellmill::models
