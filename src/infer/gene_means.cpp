#include "infer/gene_means.h"

#include <ATen/ATen.h>

#include "base/error.h"

namespace cellmill::infer {
namespace {

constexpr double kOne = 1 << 28;      // of the whole numbers that sums count
constexpr double kLargest = 1 << 14;  // of a hidden state: room for 2^21 cells of such

}  // namespace

GeneMeans::GeneMeans(const data::GeneDictionary& dictionary, std::int64_t width,
                     c10::Device device) {
  is_gene_ = (at::tensor(at::ArrayRef<double>(dictionary.medians)) > 0).to(device);
  sums_ = at::zeros({dictionary.size(), width}, at::dtype(at::kLong).device(device));
  cells_ = at::zeros({dictionary.size()}, at::dtype(at::kLong).device(device));
}

void GeneMeans::add(const at::Tensor& hidden, const data::Sequences& cells) {
  if (cells.tokens.empty()) return;
  // NaN is not below anything
  if (!(hidden.abs().max().item<float>() < kLargest))
    throw InternalError("a hidden state is not finite or beyond 16,384");
  const at::Tensor tokens =
      at::tensor(at::ArrayRef<std::int32_t>(cells.tokens), at::kInt).to(hidden.device(), at::kLong);
  const at::Tensor rows = is_gene_.index({tokens}).nonzero().squeeze(1);
  const at::Tensor genes = tokens.index_select(0, rows);
  const at::Tensor whole =
      hidden.index_select(0, rows).to(at::kDouble).mul_(kOne).round_().to(at::kLong);
  sums_.index_add_(0, genes, whole);
  cells_.index_add_(0, genes, at::ones_like(genes));
}

at::Tensor GeneMeans::found() const { return cells_.cpu().nonzero().squeeze(1); }

at::Tensor GeneMeans::means() const {
  const at::Tensor genes = found();
  return sums_.cpu()
      .index_select(0, genes)
      .to(at::kDouble)
      .div_(kOne)
      .div_(cells_.cpu().index_select(0, genes).unsqueeze(1))
      .to(at::kFloat);
}

}  // namespace cellmill::infer
