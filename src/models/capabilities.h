#pragma once
// What a trained model can be asked, one method each. A model inherits those it has. All take cells
// as a CSR batch with labels in the model's own codes (-1 = missing) and return tensors on the
// batch's device, without gradients.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "data/batch.h"

namespace cellmill::models {

/// How a counterfactual is read: kDirect is the generated cell itself (smooth: its means are best
/// where the combination was seen); kDelta is the cell plus the model's difference between wanted
/// and own context (keeps the cell's residual; best for cells and for unseen combinations).
enum class ReadOut { kDirect, kDelta };

/// Which fields to change (places in the vocabulary) and to which category; for a set field the
/// text may join elements with '+'.
struct ContextRequest {
  std::vector<std::int64_t> fields;
  std::vector<std::string> values;
};

class Counterfactual {
 public:
  virtual ~Counterfactual() = default;
  /// [B, genes]. Fields of the request are set for every cell, also where the cell's own label is
  /// missing. Throws UsageError for a category that the model does not know, with the nearest
  /// names.
  virtual at::Tensor counterfactual(const data::Batch& batch, const ContextRequest& request,
                                    ReadOut read_out) = 0;
};

class Contributor {
 public:
  virtual ~Contributor() = default;
  virtual std::vector<std::string> heads() const = 0;
  /// One [B, genes] a head at the cells' own contexts; their sum is the reconstruction.
  virtual std::vector<at::Tensor> contributions(const data::Batch& batch) = 0;
};

class ContextClassifier {
 public:
  virtual ~ContextClassifier() = default;
  /// One [B, categories] a field, rows summing to 1.
  virtual std::vector<at::Tensor> context_probabilities(const data::Batch& batch) = 0;
};

}  // namespace cellmill::models
