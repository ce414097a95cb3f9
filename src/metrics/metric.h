#pragma once
// What a metric is: sums over cells in one float64 tensor. `merge` is associative and commutative
// up to rounding, so that the caller may add batches, workers and ranks in any grouping; metrics
// know no rank. Not thread-safe.
#include <ATen/core/Tensor.h>

#include <concepts>

namespace cellmill::metrics {

template <class M>
concept Metric = requires(M metric, const M& constant, const at::Tensor& state) {
  { constant.state() } -> std::convertible_to<at::Tensor>;  ///< of fixed shape
  metric.merge(state);
  metric.reset();
  constant.value();
};

/// The metric over all ranks, from its states stacked by rank: `states` is
/// world.all_gather(metric.state().unsqueeze(0)).
template <Metric M>
void merge_all(M& metric, const at::Tensor& states) {
  metric.reset();
  for (std::int64_t rank = 0; rank < states.size(0); ++rank) metric.merge(states[rank]);
}

}  // namespace cellmill::metrics
