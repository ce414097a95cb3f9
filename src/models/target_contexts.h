#pragma once
// Target contexts: for every cell and field a category drawn uniformly by a counter-based generator
// keyed by (seed, epoch, cell, field), so that a draw does not depend on batches, ranks or
// restarts.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace cellmill::models {

/// `source` [B, F] and `cells` [B] on the host; `categories`, `keep` [F]. Missing sources stay
/// missing
/// (-1); otherwise uniform over all categories (or all but the source), then the source again with
/// keep_probability.
at::Tensor draw_targets(const at::Tensor& source, const at::Tensor& cells,
                        const std::vector<std::int64_t>& categories,
                        const std::vector<double>& keep, bool exclude_source, std::uint64_t seed,
                        std::int64_t epoch);

}  // namespace cellmill::models
