#include "models/context_keys.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "base/error.h"

namespace cellmill::models {

ContextKeys::ContextKeys(const data::Vocabulary& vocabulary, const std::vector<std::string>& fields,
                         const std::string& setting) {
  for (const auto& name : fields) {
    const auto field = std::find_if(vocabulary.fields.begin(), vocabulary.fields.end(),
                                    [&](const data::Field& f) { return f.name == name; });
    if (field == vocabulary.fields.end()) {
      throw UsageError(setting + ": no field '" + name + "'", {}, Exit::kConfig);
    }
    columns_.push_back(field - vocabulary.fields.begin());
    sizes_.push_back(static_cast<std::int64_t>(field->categories.size()));
    count_ *= sizes_.back();
  }
}

at::Tensor ContextKeys::operator()(const at::Tensor& codes) const {
  auto key = at::zeros({codes.size(0)}, codes.options());
  auto missing = at::zeros({codes.size(0)}, codes.options().dtype(at::kBool));
  for (std::size_t k = 0; k < columns_.size(); ++k) {
    const auto column = codes.select(1, columns_[k]);
    key = key * sizes_[k] + column;
    missing = missing.logical_or(column < 0);
  }
  return key.masked_fill(missing, -1);
}

}  // namespace cellmill::models
