#pragma once
// Scores of the cycle autoencoder on held-out cells:
//   loss/...                    the training losses
//   accuracy/F, macro_f1/F      the classifier on real cells, a field
//   r2/global_mean              1 - SSE / error of predicting each cell from the mean of the other
//   cells r2/context_mean             the same with the mean of the other cells of its context
// SSE is the error of the reconstruction in the cell's own contexts, pass(X, s, s); both baselines
// leave the cell itself out, and contexts with one cell count in neither. A context is the
// combination of all fields, or the field with most categories where the sums of all combinations
// would not fit 512 MiB.
#include <map>
#include <memory>

#include "metrics/classification.h"
#include "models/cycle_autoencoder.h"

namespace cellmill::models {

class CycleEvaluation final : public Evaluation {
 public:
  explicit CycleEvaluation(CycleAutoencoder& model);
  void update(const data::Batch& batch, const StepContext& context) override;
  std::vector<at::Tensor> state() override;
  std::vector<Score> scores() const override;

 private:
  CycleAutoencoder& model_;
  ContextKeys keys_;
  std::vector<std::string> loss_names_;
  std::vector<double> loss_weights_;
  at::Tensor losses_;  ///< [terms + 1]: sums over cells, and cells
  at::Tensor groups_;  ///< [1 + contexts, G + 3]: sums of x, then of |x|^2, of squared errors,
                       ///< cells; first row all cells
  std::vector<metrics::Classification> classified_;
};

}  // namespace cellmill::models
