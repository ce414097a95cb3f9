#pragma once
// The networks of the factor model, as functions of tensors: expression is encoded into a Gaussian
// a group of metadata, each group's metadata gives the prior of its own latent, and the latents
// together are decoded. No loss, no random draw. Parameters have the reference's names and shapes:
// a Linear is [out, in] with a bias, a block is x + fc2(mask * act(norm(fc1(norm(x))))).
#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "models/factor_fields.h"
#include "models/factor_noise.h"
#include "models/model.h"
#include "nn/gene_products.h"
#include "nn/packed_matrix.h"
#include "nn/sparse.h"

namespace cellmill::models {

/// What the networks are built for, besides their settings.
struct FactorShape {
  std::int64_t genes = 0;
  std::vector<FactorField> fields;
  std::array<std::int64_t, kFactorGroups> widths = {};  ///< of latents; 0: none
  std::int64_t corrections = 0;                         ///< kinds of perturbed-gene correction
};

/// Cells as the networks read them.
struct FactorInput {
  nn::Csr counts;                          ///< of the model's genes
  at::Tensor total;                        ///< [B] counts over all genes of the sample
  std::vector<at::Tensor> metadata;        ///< [B, width] a field
  std::map<std::string, at::Tensor> keep;  ///< [B] by field, 0: hidden from its prior
  at::Tensor targets, kinds;  ///< [B, T] perturbed genes (-1: none) and how; undefined: none at all
  std::int64_t size() const { return total.size(0); }
};

struct Gaussian {
  at::Tensor mean, log_variance;  ///< [B, d]
};
/// By group; undefined where the group has no latent.
using Gaussians = std::array<Gaussian, kFactorGroups>;
using Latents = std::array<at::Tensor, kFactorGroups>;

class FactorNetwork {
 public:
  FactorNetwork(const FactorOptions& options, const FactorShape& shape, std::uint64_t seed,
                at::ScalarType dtype);

  Gaussians encode(const FactorInput& input, const FactorNoise& noise);
  Gaussians prior(const FactorInput& input, const FactorNoise& noise) const;
  /// The means where `eps` [B, D] is undefined.
  Latents sample(const Gaussians& from, const at::Tensor& eps) const;
  /// [B, G]: the mean of y (normal) or logits over genes.
  at::Tensor decode(const Latents& z, const FactorInput& input, const FactorNoise& noise) const;
  /// [B, words] from the field's own latent.
  at::Tensor logits(const FactorField& field, const at::Tensor& z) const;
  /// [B], a number's scaled value.
  at::Tensor value(const FactorField& field, const at::Tensor& z) const;
  /// [B, words] from a latent that should not know it; its gradient is reversed on the way back.
  at::Tensor adversary(const FactorField& field, std::size_t group, const at::Tensor& z) const;

  /// log1p(scale * counts / total), sparse as the counts.
  nn::Csr normalised(const FactorInput& input) const;
  bool has(std::size_t group) const { return shape_.widths[group] > 0; }
  bool has_head(const FactorField& field) const { return field.classified && has(field.group); }
  bool has_adversary(const FactorField& field, std::size_t group) const {
    return options_.loss.adversary > 0 && field.classified && field.is_category() && has(group) &&
           group != field.group;
  }
  std::int64_t latent() const;  ///< D
  /// Where a mask may be given, and of which width; all but "enc.input", whose width is G.
  const std::vector<std::pair<std::string, std::int64_t>>& places() const { return places_; }

  at::Tensor parameter(const std::string& name) const { return by_name_.at(name); }
  std::vector<Parameter> parameters() const { return parameters_; }
  const FactorShape& shape() const { return shape_; }
  std::vector<FactorField>& fields() { return shape_.fields; }
  /// [G] of y over the training cells; saved, not trained.
  at::Tensor gene_mean, gene_variance;
  void to(c10::Device device);
  /// From here on no parameter changes, and there are no gradients: the scaled first layer is made
  /// once, and it and other large ones are laid out for products, where there is such a layout.
  void freeze();

 private:
  void add(const std::string& name, const at::Tensor& value);
  void add_linear(const std::string& name, std::int64_t in, std::int64_t out, bool zero = false);
  void add_norm(const std::string& name, std::int64_t width);
  void add_blocks(const std::string& name, std::int64_t count, std::int64_t width);
  void add_heads();
  at::Tensor linear(const std::string& name, const at::Tensor& x) const;
  at::Tensor norm(const std::string& name, const at::Tensor& x) const;
  at::Tensor activated(const at::Tensor& x) const;
  at::Tensor blocks(const std::string& name, std::int64_t count, at::Tensor x,
                    const FactorNoise& noise) const;
  at::Tensor first_layer(const FactorInput& input, const FactorNoise& noise);
  /// [H, G] and [H] of W x + b = (W / s) y + constant.
  std::pair<at::Tensor, at::Tensor> scaled_first_layer() const;
  at::Tensor prior_input(std::size_t group, const FactorInput& input) const;
  Gaussian gaussian(const std::string& name, const at::Tensor& h) const;
  std::int64_t prior_width(std::size_t group) const;

  FactorOptions options_;
  FactorShape shape_;
  std::uint64_t seed_;
  at::ScalarType dtype_;
  std::vector<Parameter> parameters_;
  std::map<std::string, at::Tensor> by_name_;
  std::vector<std::pair<std::string, std::int64_t>> places_;
  nn::GeneTables tables_;
  at::Tensor frozen_weight_, frozen_constant_;  ///< [G, H] (unless packed), [H]
  nn::PackedMatrix packed_first_;
  std::map<std::string, nn::PackedMatrix> packed_;  ///< of other layers, by name
};

}  // namespace cellmill::models
