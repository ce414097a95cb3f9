#pragma once
// Mean expression of the populations that real training cells form: cells with the same values in
// the chosen fields. The means come from one survey of the training data before the first step, are
// exact, and are saved with the model.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "data/chunk.h"
#include "models/context_keys.h"

namespace cellmill::models {

class Populations {
 public:
  /// Throws UsageError if a field does not exist or if the means of all combinations would not fit
  /// 2 GiB.
  Populations(const data::Vocabulary& vocabulary, const std::vector<std::string>& fields,
              at::ScalarType dtype);
  /// [B] int64: the population of each row of `codes` [B, F]; -1 where a label is missing, or where
  /// fewer than two real cells are known.
  at::Tensor keys(const at::Tensor& codes) const;
  std::int64_t count() const { return sums_.size(0); }
  const at::Tensor& means() const { return means_; }  ///< [populations, G]

  void survey(const at::Tensor& x, const at::Tensor& codes);
  at::Tensor& sums() {
    return sums_;
  }  ///< [populations, G+1] float64: sums and, last, cells; to be added over ranks
  void finish();
  std::vector<std::pair<std::string, at::Tensor>> buffers() const;
  void to(c10::Device device);

 private:
  ContextKeys joint_;
  at::Tensor sums_, means_, cells_;
};

}  // namespace cellmill::models
