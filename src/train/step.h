#pragma once
// One training step, and the only place where order exists: losses of every group at the same
// parameters, gradients, synchronisation, clipping, step, projection. N ranks on a batch do what
// one rank does on the same batch; with micro-shards they do it bit for bit.
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "comm/tree_sum.h"
#include "models/model.h"
#include "train/adamw.h"
#include "train/bucketed_sum.h"
#include "train/passes.h"

namespace cellmill::train {

/// Of matrix products: as they stand, in TF32 (on GPUs that have it; elsewhere float32), in
/// bfloat16.
enum class Precision { kFloat32, kTf32, kBfloat16 };
/// By the name in the run file; what is neither tf32 nor bfloat16 stays as it stands.
Precision precision_of(const std::string& name);

struct StepOptions {
  Precision precision = Precision::kFloat32;
  bool overlap = false;  ///< gradients are summed while backward runs
  /// Then at a time: a backward has many, and each is long against its start.
  std::int64_t bucket_bytes = 25 << 20;
  /// A rank has the moments of its share of the parameters and steps these alone. Without overlap
  /// it gets the sum of their gradients alone, too.
  bool shard = false;
  PassOptions passes = {};  ///< micro-shards allow neither `overlap` nor `shard`
};

/// Seconds that a step spent where; sums up.
struct StepTimes {
  double forward = 0, backward = 0, synchronise = 0, optimise = 0;
};

/// What a rank wants besides the step; rides on the reduction of the losses, so that all ranks do
/// it after the same step.
struct Votes {
  bool stop = false;  ///< a signal came
  bool save = false;
};

struct StepResult {
  std::map<std::string, double>
      losses;  ///< of the global batch, by term, unweighted; and each group's weighted total
  std::map<std::string, double> norms;  ///< of each group's gradient, before clipping
  Votes votes;                          ///< what any rank wanted
  std::uint64_t cells = 0;              ///< digest of the global batch's (train/cell_order.h)
};

class Stepper {
 public:
  Stepper(models::Model& model, comm::Communicator& world, std::uint64_t seed, StepOptions options);
  /// `schedule` multiplies the learning rates. Throws InternalError if a loss or gradient is not
  /// finite.
  StepResult step(const data::Batch& batch, double schedule, Votes votes);
  /// The two halves of a step, for the golden cases: synchronised gradients, then clipping, update
  /// and projection.
  StepResult gradients(const models::Losses& losses, Votes votes);
  void update(double schedule, StepResult& result);

  Passes& passes() { return passes_; }
  std::vector<AdamW>& optimisers() { return optimisers_; }
  const StepTimes& times() const { return times_; }

 private:
  /// Before the first piece.
  void begin();
  /// Adds a piece's gradients, losses and masks to this rank's.
  void backward(const models::Losses& losses, bool last);
  /// This rank's over all ranks.
  StepResult synchronise(Votes votes, std::uint64_t cells);
  void sum_gradients();

  models::Model& model_;
  comm::Communicator& world_;
  StepOptions options_;
  Passes passes_;
  std::vector<AdamW> optimisers_;
  std::unique_ptr<BucketedSum> overlapped_;  // where sums overlap backward
  std::vector<comm::TreeSum> trees_;         // with micro-shards: of each optimiser, then of losses
  std::vector<models::LossTerm> terms_;      // names, weights and groups
  at::Tensor losses_;                        // by term, of the pieces so far
  std::vector<at::Tensor> touched_;
  StepTimes times_;
};

}  // namespace cellmill::train
