#pragma once
// Scores of the rank encoder on held-out cells; masks are the same in every evaluation.
//   loss/masked_genes      mean negative log-likelihood of the masked genes, nats
//   loss/unigram           what a model that knows only how often each gene is among those of the
//                          held-out cells would have: the entropy of their genes
//   accuracy/masked_genes  fraction whose most likely gene is the right one
#include "models/rank_encoder.h"

namespace cellmill::models {

class RankEvaluation final : public Evaluation {
 public:
  explicit RankEvaluation(RankEncoder& model);
  void update(const data::Batch& batch, const StepContext& context) override;
  std::vector<at::Tensor> state() override { return {sums_, genes_}; }
  std::vector<Score> scores() const override;

 private:
  RankEncoder& model_;
  at::Tensor sums_;   ///< [3]: masked genes, their loss, those that are right
  at::Tensor genes_;  ///< [vocabulary]: how often in the cells
};

}  // namespace cellmill::models
