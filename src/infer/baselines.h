#pragma once
// What a counterfactual must beat. Pure functions of populations of real cells: shifts learnt from
// cells of both contexts, the mean that each shift predicts, and the scores `cor`, `err`, `err100`
// of a predicted mean. A *type* is one combination of the fields that the question leaves alone; a
// *source* cell has another context than the wanted one. All tensors are [genes] float64. The
// definitions are those of the project's study of counterfactuals on real cells.
#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "infer/population.h"

namespace cellmill::infer {

inline constexpr double kRidgePenalty = 10;     ///< on the products type x context
inline constexpr double kRidgeSmall = 1e-3;     ///< on types and context
inline constexpr std::int64_t kTopGenes = 100;  ///< genes of err100
inline constexpr double kMinPopulation = 2;     ///< cells that a type's own shift needs, each side

/// What real cells of both contexts teach, by type. Undefined tensors: the cells do not allow it.
struct Shifts {
  at::Tensor additive;               ///< mean of wanted minus mean of source cells
  at::Tensor adjusted;               ///< mean of the types' shifts, weights n0 n1 / (n0 + n1)
  std::vector<at::Tensor> per_type;  ///< the type's own shift
  std::vector<at::Tensor> ridge;     ///< context + product of a ridge on types, context, products
  std::vector<at::Tensor> real;      ///< mean of the real cells of the type in the wanted context
  at::Tensor real_all;               ///< of all types
};
/// `source[k]`, `wanted[k]`: the cells of type k. The ridge is the least-squares fit of expression
/// on one-hot(type), context and their products, solved in closed form, O(types x genes).
Shifts learn_shifts(const std::vector<Population>& source, const std::vector<Population>& wanted);

struct Prediction {
  std::string name;
  at::Tensor mean;
};
/// The mean that each baseline predicts for source cells of mean `source_mean`, of which
/// `cells[k]` are of type k. A per-type baseline falls back to the adjusted shift, the mean of real
/// cells to that of all types; a prediction that the shifts do not allow is left out.
std::vector<Prediction> predict_means(const Shifts& shifts, const at::Tensor& source_mean,
                                      const std::vector<double>& cells);

struct Scores {
  double cor = 0;     ///< correlation over genes of predicted and true shift; noise inflates it
  double err = 0;     ///< |p - t|^2 / |t - c|^2; no change = 1
  double err100 = 0;  ///< the same on `top`
};
/// `predicted` p, `source` c, `truth` t: means; `top`: indices of genes.
Scores score(const at::Tensor& predicted, const at::Tensor& source, const at::Tensor& truth,
             const at::Tensor& top);
/// Sampling noise of the true mean in the units of err (cor is NaN): nothing can be expected below.
Scores noise_of_truth(const at::Tensor& source, const Population& truth, const at::Tensor& top);
/// Indices of the (at most kTopGenes) genes with the largest |Welch t| between two populations.
at::Tensor top_genes(const Population& source, const Population& wanted);

}  // namespace cellmill::infer
