#pragma once
// The generator of the cycle autoencoder: a base head with tied weights and one additive head per
// metadata field.
//   h_0 = X W^T                 Xhat_0 = h_0 W                                     W [L, G]
//   h_f = X E_f^T + a_f         Xhat_f = scale * known * (FFN_{f,out}(h_f) D_f^T + d_f)
// With route source_and_target h_f first passes FFN_{f,in}, and is that what integration compares.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "data/chunk.h"
#include "models/cycle_options.h"
#include "models/model.h"
#include "nn/context_ffn.h"
#include "nn/gene_products.h"

namespace cellmill::models {

/// The contexts of a batch for one side of a pass, one entry a field.
struct FieldRoute {
  nn::Routing routing;
  at::Tensor known;  ///< [B, 1] in the parameters' type: 1 where the label is known
};

struct GeneratorPass {
  at::Tensor output;                      ///< [B, G]; undefined from the factored form
  std::vector<at::Tensor> hidden;         ///< [B, L]: base, then fields
  std::vector<at::Tensor> contributions;  ///< [B, G]: base, then fields; empty unless asked for
};

class CycleGenerator {
 public:
  /// Throws UsageError if a set field does not exist or lacks its control category.
  CycleGenerator(const CycleAutoencoderOptions& options, const data::Vocabulary& vocabulary,
                 std::uint64_t seed, at::ScalarType dtype);
  /// `codes` [B, F], -1 = missing.
  std::vector<FieldRoute> routes(const at::Tensor& codes) const;
  GeneratorPass pass(const at::Tensor& x, const std::vector<FieldRoute>& in,
                     const std::vector<FieldRoute>& out, bool keep_contributions) const;

  // The same pass in parts, for the factored form (models/cycle_factored.h), which has no [B, G].
  /// W and all D_f, d_f: with coefficients U of `codes` the output is U D^T.
  std::vector<nn::GeneWeight> decoding() const;
  /// All E_f.
  std::vector<nn::GeneWeight> encoding() const;
  /// The hidden states and coefficients [B, K] of a pass, from the products of its input with W and
  /// the E_f (biases not yet added): base, then fields.
  struct Codes {
    std::vector<at::Tensor> hidden;
    at::Tensor coefficients;
  };
  Codes codes(const std::vector<at::Tensor>& encoded, const std::vector<FieldRoute>& in,
              const std::vector<FieldRoute>& out) const;
  /// Per field: 1 for every context that a route uses.
  std::vector<at::Tensor> touched(const std::vector<FieldRoute>& a,
                                  const std::vector<FieldRoute>& b) const;
  std::vector<Parameter> parameters() const;
  void project();
  void to(c10::Device device);

  /// The code that stands for a category's text in `field`, known or (set fields) made of known
  /// elements: then a new code, valid for this generator. Throws UsageError with the nearest names.
  std::int64_t code_of(std::int64_t field, const std::string& text);

 private:
  struct Head {
    std::string field;
    std::vector<std::string> categories;
    std::vector<std::string>
        elements;  ///< networks of the pool; the categories themselves, or what sets are made of
    std::vector<std::vector<std::int64_t>>
        members;                ///< set fields: elements of each category, without control
    std::int64_t control = -1;  ///< set fields: the control element
    at::Tensor encoder, encoder_bias, decoder, decoder_bias;
    nn::FfnPool pool;
  };
  /// (hidden, scaled code) of a field.
  std::pair<at::Tensor, at::Tensor> code(std::size_t f, const at::Tensor& encoded,
                                         const FieldRoute& in, const FieldRoute& out) const;
  void add_set(Head& head, const std::string& category) const;

  CycleAutoencoderOptions options_;
  at::Tensor base_;
  std::vector<Head> heads_;
};

}  // namespace cellmill::models
