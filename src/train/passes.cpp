#include "train/passes.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "base/error.h"
#include "base/format.h"
#include "comm/tree_sum.h"

namespace cellmill::train {
namespace {

/// Leaves a pass that asks for a sum which is not known yet; no error, so no std::exception.
struct Asked {
  at::Tensor part;
};

}  // namespace

Passes::Passes(comm::Communicator& world, std::uint64_t seed, PassOptions options)
    : world_(world),
      seed_(seed),
      options_(options),
      shard_{world.rank(), world.size(), options.micro_shards} {
  if (options.micro_shards > 0 && options.micro_shards < world.size())
    throw UsageError(fmt::format("train.micro_shards: {} of them cannot be dealt to {} ranks",
                                 options.micro_shards, world.size()),
                     "start at most as many ranks as there are micro-shards", Exit::kConfig);
}

models::StepContext Passes::context() {
  return {seed_,         [this](at::Tensor& tensor) { world_.all_reduce(tensor, comm::Op::kSum); },
          world_.rank(), world_.size(),
          world_.size(), steps_};
}

models::StepContext Passes::context_of(const data::Batch& batch) const {
  models::StepContext context;
  context.seed = seed_;
  context.step = steps_;
  context.pieces = options_.micro_shards;
  if (context.pieces == 0) {
    const auto at_once = options_.cells_at_once;
    context.pieces =
        std::max<std::int64_t>(world_.size(), (batch.global_cells + at_once - 1) / at_once);
  }
  return context;
}

std::vector<data::Batch> Passes::pieces(const data::Batch& batch) const {
  std::vector<std::int64_t> cuts = batch.micro_shards;
  if (options_.micro_shards == 0) {
    const auto count = std::max<std::int64_t>(
        1, (batch.size() + options_.cells_at_once - 1) / options_.cells_at_once);
    for (std::int64_t k = 0; k <= count; ++k) cuts.push_back(batch.size() * k / count);
  } else if (static_cast<std::int64_t>(cuts.size()) != own_micro_shards() + 1) {
    throw InternalError("a batch is not divided into this rank's micro-shards");
  }
  std::vector<data::Batch> all;
  for (std::size_t k = 0; k + 1 < cuts.size(); ++k)
    all.push_back(data::cells_of(batch, cuts[k], cuts[k + 1]));
  return all;
}

at::Tensor Passes::total(const std::vector<at::Tensor>& of_pieces) {
  auto sum = of_pieces.front().clone(at::MemoryFormat::Contiguous);
  if (options_.micro_shards > 0) {
    comm::TreeSum tree(world_, options_.micro_shards);
    for (const auto& part : of_pieces) tree.add(part);
    tree.finish(sum);
    return sum;
  }
  for (std::size_t k = 1; k < of_pieces.size(); ++k) sum.add_(of_pieces[k]);
  world_.all_reduce(sum, comm::Op::kSum);
  return sum;
}

std::vector<at::Tensor> Passes::attempt(const std::vector<data::Batch>& pieces, const Pass& pass,
                                        const std::vector<at::Tensor>& known) const {
  const auto count = static_cast<std::int64_t>(pieces.size());
  std::vector<at::Tensor> asked;
  for (std::int64_t k = 0; k < count; ++k) {
    std::size_t sums = 0;
    auto context = context_of(pieces[static_cast<std::size_t>(k)]);
    context.sum_over_ranks = [&](at::Tensor& tensor) {
      if (sums == known.size()) throw Asked{tensor.detach().clone()};
      tensor.copy_(known[sums++]);
    };
    try {
      pass(pieces[static_cast<std::size_t>(k)], context, {k, count});
    } catch (const Asked& question) {
      asked.push_back(question.part);
    }
    const bool alike = asked.empty() || asked.size() == static_cast<std::size_t>(k) + 1;
    if (sums != known.size() || !alike)
      throw InternalError("a model asks for other sums over ranks in one piece than in another");
  }
  return asked;
}

void Passes::run(const data::Batch& batch, const Pass& pass) {
  if (options_.micro_shards == 0 && options_.cells_at_once == 0) return pass(batch, context(), {});
  const auto all = pieces(batch);
  if (options_.micro_shards == 0 && all.size() == 1) {
    auto alone = context_of(batch);
    alone.sum_over_ranks = context().sum_over_ranks;
    return pass(batch, alone, {});
  }
  std::vector<at::Tensor> known;
  while (true) {
    const auto asked = attempt(all, pass, known);
    if (asked.empty()) return;
    known.push_back(total(asked));
  }
}

}  // namespace cellmill::train
