#pragma once
// What the trainer asks of a model: its parameters in groups, the losses of a batch, and what must
// hold after a step. No optimiser, no rank, no device logic. A model says what is shared across
// ranks through `StepContext::sum_over_ranks`, which is the identity alone.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "data/batch.h"
#include "data/chunk.h"

namespace cellmill::models {

/// A parameter and how it is stepped. If `touched` is not negative the first dimension counts
/// contexts, and only those that the global batch touched (Losses::touched[touched]) are stepped:
/// no decay, no momentum, no step count for the rest.
struct Parameter {
  std::string name;
  at::Tensor value;
  double weight_decay = 0;
  int touched = -1;
};

/// Parameters that one loss moves: AdamW with `learning_rate` times the schedule; `clip_norm` 0 is
/// off.
struct Group {
  std::string name;
  double learning_rate = 1e-3;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double clip_norm = 0;
  std::vector<Parameter> parameters;
};

/// `value` is this rank's part: the sum over ranks is the loss of the global batch. The group's
/// objective is the sum of weight * value; it must reach no parameter of another group.
struct LossTerm {
  std::string name;
  at::Tensor value;
  double weight = 1;
  std::string group;
};

struct Losses {
  std::vector<LossTerm> terms;
  std::vector<at::Tensor>
      touched;  ///< uint8 [contexts] each, this rank's; the trainer takes the maximum over ranks
};

struct StepContext {
  std::uint64_t seed = 0;
  /// Adds a float tensor over ranks, in place, without gradient; every rank calls it the same
  /// number of times. A batch may be taken in pieces: then it adds over all pieces of all ranks,
  /// and the caller is left by an exception, which it lets through, and called again until every
  /// piece has asked. So nothing that lasts may be changed before the last call.
  std::function<void(at::Tensor&)> sum_over_ranks = [](at::Tensor&) {};
  /// Work that does not depend on the cells may be divided: this rank's part of so many.
  std::int64_t part = 0, parts = 1;
  /// Pieces that the global batch is taken in, over all ranks.
  std::int64_t pieces = 1;
  std::int64_t step = 0;  ///< steps done before this one
};

/// A number for the curves; `name` is the tag below the split: "accuracy/cell_type".
struct Score {
  std::string name;
  double value = 0;
};

/// Scores of held-out cells, accumulated over batches in tensors that add over ranks.
class Evaluation {
 public:
  virtual ~Evaluation() = default;
  virtual void update(const data::Batch& batch, const StepContext& context) = 0;
  /// float64 tensors that share their storage with this object, to be summed over ranks in place
  /// before `scores`.
  virtual std::vector<at::Tensor> state() = 0;
  virtual std::vector<Score> scores() const = 0;
};

/// How much one part of the model contributes to each cell: the L2 norm of its output.
struct Influence {
  std::string head;
  at::Tensor norms;  ///< [B]
};

class Model {
 public:
  virtual ~Model() = default;
  virtual std::string name() const = 0;
  /// The same tensors for the life of the model: the trainer keeps gradients and moments beside
  /// them.
  virtual std::vector<Group> groups() = 0;
  /// Tensors that are saved but not trained (means of populations, ...).
  virtual std::vector<std::pair<std::string, at::Tensor>> buffers() { return {}; }
  /// Texts without which the tensors mean nothing (a dictionary, ...): saved with them, handed back
  /// through ModelOptions::texts, and must be the same where a run goes on.
  virtual std::vector<std::pair<std::string, std::string>> texts() { return {}; }
  /// Called where a run begins, not where it goes on: initial values from elsewhere. May throw what
  /// reading files throws.
  virtual void start() {}
  virtual Losses losses(const data::Batch& batch, const StepContext& context) = 0;
  /// Projections such as non-negative weights. Called after every step.
  virtual void after_step() = 0;
  virtual std::unique_ptr<Evaluation> evaluation() = 0;
  /// By head, for the influence figure and histograms; empty if the model has no such parts.
  virtual std::vector<Influence> influence(const data::Batch&) { return {}; }

  /// One pass over the training data before step 0, for statistics that the losses need: `survey`
  /// is called with every batch if `needs_survey`, then `survey_state` (float64) is summed over
  /// ranks, then `finish_survey`.
  virtual bool needs_survey() const { return false; }
  virtual void survey(const data::Batch&) {}
  virtual at::Tensor survey_state() { return {}; }
  virtual void finish_survey() {}

  virtual void to(c10::Device device) = 0;
};

}  // namespace cellmill::models
