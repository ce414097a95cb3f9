#pragma once
// AdamW over flat, persistent buckets. A group's parameters, gradients and moments lie one behind
// the other in four flat tensors; parameters and their .grad are views of them, so that
// synchronising a group is one all-reduce. Rows of a parameter that belong to contexts which the
// global batch did not touch get no update at all: no decay, no momentum, no step count (what
// torch.optim.AdamW does for modules whose gradient is None). float32 on the host takes one pass
// over memory (train/adamw_kernel.h); all else takes LibTorch's fused kernel. Sharded over ranks, a
// rank has the moments of an equal share of the flat tensors and steps these values alone; the
// caller reduces gradients to shares and gathers the values.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "comm/communicator.h"
#include "data/plan.h"
#include "models/model.h"

namespace cellmill::train {

/// A run of whole parameters and their flat gradient.
struct GradientBucket {
  at::Tensor gradient;
  std::vector<at::Tensor> parameters;
};

class AdamW {
 public:
  /// Flat memory of so many zeros.
  using Memory = std::function<at::Tensor(std::int64_t count, const at::TensorOptions&)>;
  /// Moves the group's parameters into the flat tensor (their values stay) and gives them
  /// gradients; what ranks exchange lies in `memory`.
  explicit AdamW(const models::Group& group, const Memory& memory = {}, data::Shard shard = {});
  const std::string& name() const { return group_.name; }
  /// Flat, of a length that the number of shares divides.
  at::Tensor& gradient() { return gradient_; }
  at::Tensor& value() { return value_; }
  /// All of it, in pieces of at least `bytes`, but for the last one; last parameters first, about
  /// as backward reaches them.
  std::vector<GradientBucket> buckets(std::int64_t bytes) const;
  void zero_gradient() { gradient_.zero_(); }
  /// Scales the gradient to at most clip_norm (if the group clips); returns the norm before. Of a
  /// share, with the squares of all shares summed by `sum`.
  double clip(const std::function<double(double)>& sum = {});
  /// `touched[k]` uint8 [contexts], on the host.
  void step(double schedule, const std::vector<at::Tensor>& touched);
  /// "moment1/<parameter>", "moment2/<parameter>", "steps/<parameter>": shares storage; load by
  /// copying into it. Sharded, its moments are whole ones on the host, which are there from one of
  /// the next two to one of the last two; unsharded, these do nothing.
  std::vector<std::pair<std::string, at::Tensor>> state() const;
  /// What every rank must have alike, for people's eyes named: parameters, their steps and, unless
  /// sharded, their moments. Contiguous.
  std::vector<std::pair<std::string, at::Tensor>> replica() const;
  /// Every rank's, on rank `root` of `host`; collective.
  void gather_moments(comm::Communicator& host, int root);
  /// To be loaded into.
  void make_moments();
  /// This rank's share of what was loaded is its own now.
  void keep_moments();
  void drop_moments();

 private:
  struct Slot {
    models::Parameter parameter;
    at::Tensor steps;    ///< float32 [contexts] or [1]
    std::int64_t begin;  ///< place in the flat tensors
  };
  /// Part of the flat tensors.
  struct Run {
    std::int64_t begin, count;
  };
  /// What of a slot's row lies in this rank's share.
  Run own(const Slot& slot, std::int64_t row) const;
  /// A parameter's place in a flat tensor.
  static at::Tensor part(const at::Tensor& flat, const Slot& slot);
  /// Calls f(slot, row) for every row that is stepped; a parameter without contexts is row 0.
  template <class F>
  void for_stepped(const std::vector<at::Tensor>& touched, const F& f);
  void step_by_kernel(double schedule, const std::vector<at::Tensor>& touched);
  void step_by_torch(double schedule, const std::vector<at::Tensor>& touched);

  models::Group group_;
  data::Shard shard_;
  Run share_;
  at::Tensor value_, gradient_;
  at::Tensor moment1_, moment2_;              // of the share
  at::Tensor whole_moment1_, whole_moment2_;  // if sharded, on the host, now and then
  std::vector<Slot> slots_;
  bool kernel_;
};

}  // namespace cellmill::train
