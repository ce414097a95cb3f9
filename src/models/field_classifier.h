#pragma once
// A classifier of a cell's contexts from its expression: shared hidden layers with ReLU, one linear
// output per metadata field.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "data/chunk.h"
#include "models/model.h"
#include "nn/gene_products.h"

namespace cellmill::models {

class FieldClassifier {
 public:
  FieldClassifier(const data::Vocabulary& vocabulary, const std::vector<std::int64_t>& hidden,
                  std::uint64_t seed, at::ScalarType dtype);
  /// x [B, G] -> one [B, C_f] a field. Frozen: gradients reach x but not the parameters.
  std::vector<at::Tensor> logits(const at::Tensor& x, bool frozen) const;
  /// The weights that read genes, and the logits from x times these (biases not yet added).
  std::vector<nn::GeneWeight> first_layer() const;
  std::vector<at::Tensor> logits_after_first(const std::vector<at::Tensor>& products,
                                             bool frozen) const;
  std::vector<Parameter> parameters() const;
  void to(c10::Device device);

 private:
  struct Layer {
    std::string name;
    at::Tensor weight, bias;
  };
  std::vector<at::Tensor> outputs(at::Tensor h, std::size_t first_hidden, bool frozen) const;
  std::vector<Layer> hidden_, outputs_;
};

}  // namespace cellmill::models
