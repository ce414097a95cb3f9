#include "nn/rounded_counts.h"

#include <ATen/ATen.h>

#include "base/instruction_sets.h"
#include "nn/shared_work.h"

namespace cellmill::nn {
namespace {

CELLMILL_CLONES
void round_counts(const float* from, std::int64_t genes, float factor, std::int32_t* counts) {
  constexpr float kMost = 2147483520;  // the largest float32 of an int32
  for (std::int64_t gene = 0; gene < genes; ++gene) {
    const float count = from[gene] * factor + 0.5f;
    counts[gene] = static_cast<std::int32_t>(count < kMost ? count : kMost);
  }
}

}  // namespace

std::vector<std::vector<std::int32_t>> rounded_counts(const at::Tensor& decoded, Decoded form,
                                                      const at::Tensor& totals) {
  const auto from = decoded.detach().to(at::kCPU, at::kFloat).contiguous();
  const auto wanted = totals.to(at::kCPU, at::kDouble).contiguous();
  const auto genes = from.size(1);
  std::vector<std::vector<std::int32_t>> counts(static_cast<std::size_t>(from.size(0)));
  share_work(from.size(0), [&](std::int64_t row) {  // which stays in the cache from step to step
    const auto rates =
        form == Decoded::kLog1p ? at::clamp_min(from[row], 0).expm1_() : at::softmax(from[row], 0);
    const double sum = rates.sum().item<float>(), total = wanted.const_data_ptr<double>()[row];
    auto& of_row = counts[static_cast<std::size_t>(row)];
    of_row.resize(static_cast<std::size_t>(genes));
    round_counts(rates.const_data_ptr<float>(), genes,
                 static_cast<float>(sum > 0 ? total / sum : 0), of_row.data());
  });
  return counts;
}

}  // namespace cellmill::nn
