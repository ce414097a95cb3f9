#pragma once
// The values of several fields of a cell as one number: which population a cell belongs to.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "data/chunk.h"

namespace cellmill::models {

class ContextKeys {
 public:
  /// Throws UsageError (`setting` in the text) if a field does not exist.
  ContextKeys(const data::Vocabulary& vocabulary, const std::vector<std::string>& fields,
              const std::string& setting);
  std::int64_t count() const { return count_; }  ///< combinations of categories
  /// codes [B, F] -> [B] int64; -1 where one of the labels is missing.
  at::Tensor operator()(const at::Tensor& codes) const;

 private:
  std::vector<std::int64_t> columns_, sizes_;
  std::int64_t count_ = 1;
};

}  // namespace cellmill::models
