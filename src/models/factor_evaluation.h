#pragma once
// Scores of the factor model on held-out cells:
//   loss/...                                the training losses, KL at its full weight
//   accuracy/F, macro_f1/F            heads on the latents' means; of a label with several values
//                                     any one is right
//   calibration/F, .../unscaled/F     ECE at the field's temperature, and at 1; temperature/F
//   probe/F/LATENT                    balanced accuracy of a linear probe of each field on each
//                                     latent; on another than its own: leakage
//   pearson/genes, pearson/samples    reconstruction from the means, in the space of y
// `scores` gives the model the fields' temperatures.
#include "metrics/calibration.h"
#include "metrics/classification.h"
#include "metrics/correlation.h"
#include "metrics/linear_probe.h"
#include "models/factor_model.h"

namespace cellmill::models {

class FactorEvaluation final : public Evaluation {
 public:
  explicit FactorEvaluation(FactorModel& model);
  void update(const data::Batch& batch, const StepContext& context) override;
  std::vector<at::Tensor> state() override;
  std::vector<Score> scores() const override;

 private:
  struct Head {
    std::size_t field;
    metrics::Classification classified;
    metrics::Calibration calibrated;
  };
  void classify(const FactorInput& input, const Gaussians& posterior);
  void sample(const data::Batch& batch, const FactorInput& input, const Gaussians& posterior);
  void add_probes(std::vector<Score>& scores) const;

  FactorModel& model_;
  std::vector<std::string> loss_names_;
  std::vector<double> loss_weights_;
  at::Tensor losses_;  ///< [terms + 1]: sums over cells, and cells
  std::vector<Head> heads_;
  metrics::Correlation correlation_;
  metrics::LinearProbe probe_;
};

}  // namespace cellmill::models
