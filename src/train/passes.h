#pragma once
// How a rank takes its share of a batch through the model: at once; in pieces of at most so many
// cells, for memory; or in micro-shards, of which the global batch has as many on any number of
// ranks. What a model adds over ranks (StepContext::sum_over_ranks) is added over all pieces of all
// ranks: every piece is taken to where it asks for a sum, and left there, once a sum; then through.
// So pieces give what the whole gives, but for rounding; micro-shards, whose sums form a fixed tree
// (comm/tree_sum.h), the same bits on any number of ranks.
#include <cstdint>
#include <functional>
#include <vector>

#include "comm/communicator.h"
#include "data/batch.h"
#include "data/plan.h"
#include "models/model.h"

namespace cellmill::train {

struct PassOptions {
  std::int64_t cells_at_once = 0;  ///< 0: any number
  std::int64_t micro_shards = 0;   ///< 0: none
};

class Passes {
 public:
  /// With micro-shards, batches come divided into them (Shard::micro_shards). Throws UsageError
  /// (78) if there are fewer of them than ranks.
  Passes(comm::Communicator& world, std::uint64_t seed, PassOptions options);

  /// A piece: which one of this rank's, and of how many.
  struct Place {
    std::int64_t number = 0, count = 1;
    bool last() const { return number + 1 == count; }
  };
  using Pass = std::function<void(const data::Batch&, const models::StepContext&, Place)>;
  /// Calls `pass` for every piece of the batch, in order; collective. A pass that asks for a sum is
  /// called several times, but runs through once.
  void run(const data::Batch& batch, const Pass& pass);
  /// Of one tensor a piece: the sum over all pieces of all ranks.
  at::Tensor total(const std::vector<at::Tensor>& of_pieces);
  /// Micro-shards of this rank; 0 without.
  std::int64_t own_micro_shards() const {
    return shard_.end(options_.micro_shards) - shard_.begin(options_.micro_shards);
  }
  const PassOptions& options() const { return options_; }
  data::Shard shard() const { return shard_; }
  /// So many steps are done (StepContext::step).
  void start_at(std::int64_t steps) { steps_ = steps; }
  std::int64_t steps() const { return steps_; }
  /// For the whole share at once.
  models::StepContext context();

 private:
  std::vector<data::Batch> pieces(const data::Batch& batch) const;
  /// Takes every piece to the first sum that is not known, or through. What they asked for.
  std::vector<at::Tensor> attempt(const std::vector<data::Batch>& pieces, const Pass& pass,
                                  const std::vector<at::Tensor>& known) const;
  models::StepContext context_of(const data::Batch& batch) const;

  comm::Communicator& world_;
  std::uint64_t seed_;
  PassOptions options_;
  data::Shard shard_;
  std::int64_t steps_ = 0;
};

}  // namespace cellmill::train
