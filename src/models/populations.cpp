#include "models/populations.h"

#include <ATen/ATen.h>

#include "base/error.h"

namespace cellmill::models {

Populations::Populations(const data::Vocabulary& vocabulary, const std::vector<std::string>& fields,
                         at::ScalarType dtype)
    : joint_(vocabulary, fields, "match_fields") {
  const auto populations = joint_.count();
  const auto genes = static_cast<std::int64_t>(vocabulary.genes.size());
  if (populations * genes > (std::int64_t{1} << 28)) {
    throw UsageError("match_fields: " + std::to_string(populations) + " populations of " +
                         std::to_string(genes) + " genes do not fit 2 GiB",
                     "name fewer fields", Exit::kConfig);
  }
  sums_ = at::zeros({populations, genes + 1}, at::kDouble);
  means_ = at::zeros({populations, genes}, dtype);
  cells_ = at::zeros({populations}, at::kLong);
}

at::Tensor Populations::keys(const at::Tensor& codes) const {
  const auto key = joint_(codes);
  const auto cells = cells_.index_select(0, at::clamp_min(key, 0));
  return key.masked_fill(cells < 2, -1);
}

void Populations::survey(const at::Tensor& x, const at::Tensor& codes) {
  const auto key = joint_(codes);
  const auto rows = (key >= 0).nonzero().squeeze(1);
  const auto known = key.index_select(0, rows);
  const auto genes = sums_.size(1) - 1;
  sums_.slice(1, 0, genes).index_add_(0, known, x.index_select(0, rows).to(at::kDouble));
  sums_.select(1, genes).index_add_(0, known, at::ones({known.size(0)}, sums_.options()));
}

void Populations::finish() {
  const auto genes = sums_.size(1) - 1;
  const auto cells = sums_.select(1, genes);
  means_.copy_(sums_.slice(1, 0, genes) / at::clamp_min(cells, 1).unsqueeze(1));
  cells_.copy_(cells);
}

std::vector<std::pair<std::string, at::Tensor>> Populations::buffers() const {
  return {{"populations.means", means_}, {"populations.cells", cells_}};
}

void Populations::to(c10::Device device) {
  sums_ = sums_.to(device);
  means_ = means_.to(device);
  cells_ = cells_.to(device);
}

}  // namespace cellmill::models
