#include "comm/tree_sum.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "base/error.h"

namespace cellmill::comm {
namespace {

constexpr std::int64_t kPiece = 1 << 18;  // values of a share that travel at a time

std::int64_t middle(std::int64_t begin, std::int64_t end) { return (begin + end) / 2; }

}  // namespace

TreeSum::TreeSum(Communicator& world, std::int64_t leaves)
    : world_(world), leaves_(leaves), next_(begin_of(world.rank())) {
  if (leaves < world.size()) throw InternalError("a tree of sums has fewer leaves than ranks");
}

bool TreeSum::is_node(std::int64_t begin, std::int64_t end) const {
  std::int64_t low = 0, high = leaves_;
  while (low < begin || high > end) {
    const auto cut = middle(low, high);
    if (begin >= cut)
      low = cut;
    else if (end <= cut)
      high = cut;
    else
      return false;
  }
  return true;
}

std::vector<TreeSum::Node> TreeSum::sums_of(std::int64_t rank) const {
  std::vector<Node> nodes;
  for (auto leaf = begin_of(rank); leaf < begin_of(rank + 1); ++leaf) {
    nodes.push_back({leaf, leaf + 1, {}});
    while (nodes.size() > 1 && is_node(nodes.end()[-2].begin, leaf + 1)) {
      nodes.pop_back();
      nodes.back().end = leaf + 1;
    }
  }
  return nodes;
}

void TreeSum::add(const at::Tensor& leaf) {
  const auto flat = leaf.reshape({-1});
  at::Tensor sum;
  if (!spare_.empty() && spare_.back().sizes() == flat.sizes() &&
      spare_.back().dtype() == flat.dtype())
    sum = spare_.back();
  if (!spare_.empty()) spare_.pop_back();
  if (!sum.defined()) sum = at::empty(flat.sizes(), flat.options().requires_grad(false));
  sum.copy_(flat.detach());
  nodes_.push_back({next_, next_ + 1, sum});
  ++next_;
  while (nodes_.size() > 1 && is_node(nodes_.end()[-2].begin, next_)) {
    auto& left = nodes_.end()[-2];
    left.sum.add_(nodes_.back().sum);
    left.end = next_;
    spare_.push_back(nodes_.back().sum);
    nodes_.pop_back();
  }
}

void TreeSum::finish(at::Tensor& sum) {
  if (next_ != begin_of(world_.rank() + 1))
    throw InternalError("a tree of sums is finished before its last leaf");
  if (world_.size() == 1)
    sum.view({-1}).copy_(nodes_.front().sum);
  else
    exchange(sum);
  for (auto& node : nodes_) spare_.push_back(node.sum);
  nodes_.clear();
  next_ = begin_of(world_.rank());
}

void TreeSum::exchange(at::Tensor& sum) {
  const std::int64_t ranks = world_.size(), count = sum.numel();
  std::vector<std::vector<Node>> left;
  std::size_t most = 0;
  for (std::int64_t r = 0; r < ranks; ++r) {
    left.push_back(sums_of(r));
    most = std::max(most, left.back().size());
  }
  const auto share = (count + ranks - 1) / ranks;
  auto all = at::empty({ranks, share}, nodes_.front().sum.options());
  auto own = all[world_.rank()];
  for (std::int64_t begin = 0; begin < share; begin += kPiece) {
    const auto n = std::min(kPiece, share - begin);
    auto sent = at::zeros({ranks, static_cast<std::int64_t>(most), n}, own.options());
    for (std::int64_t r = 0; r < ranks; ++r) {
      const auto from = r * share + begin, there = std::min(n, count - from);
      for (std::size_t k = 0; k < nodes_.size() && there > 0; ++k)
        sent[r][static_cast<std::int64_t>(k)]
            .narrow(0, 0, there)
            .copy_(nodes_[k].sum.narrow(0, from, there));
    }
    const auto arrived = world_.all_to_all(sent);
    std::vector<Node> nodes;  // as `add` would have met them, one tree for all
    for (std::int64_t r = 0; r < ranks; ++r) {
      const auto& list = left[static_cast<std::size_t>(r)];
      for (std::size_t k = 0; k < list.size(); ++k) {
        nodes.push_back({list[k].begin, list[k].end, arrived[r][static_cast<std::int64_t>(k)]});
        while (nodes.size() > 1 && is_node(nodes.end()[-2].begin, nodes.back().end)) {
          nodes.end()[-2].sum.add_(nodes.back().sum);
          nodes.end()[-2].end = nodes.back().end;
          nodes.pop_back();
        }
      }
    }
    own.narrow(0, begin, n).copy_(nodes.front().sum);
  }
  world_.gather_shares(all = all.view({-1}));
  sum.view({-1}).copy_(all.narrow(0, 0, count));
}

}  // namespace cellmill::comm
