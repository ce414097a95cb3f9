#pragma once
// The rank encoder's parameters and the forward pass over them: a BERT whose words are genes.
// Queries, keys and values of a layer are one parameter, [3 H, H]; the words are the decoder of
// the masked genes, too.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/model.h"
#include "models/rank_encoder_options.h"
#include "nn/transformer.h"

namespace cellmill::models {

class RankNetwork {
 public:
  /// `options.vocabulary` is the number of tokens. Weights from the seed, N(0,
  /// initializer_range^2); biases 0, layer norms 1 and 0. Without a
  /// seed weights are 0, to be filled in.
  RankNetwork(const RankEncoderOptions& options, std::optional<std::uint64_t> seed,
              at::ScalarType dtype);

  const RankEncoderOptions& options() const { return options_; }
  nn::EncoderForm form() const;
  /// All parameters; what has one dimension does not decay.
  const std::vector<Parameter>& parameters() const { return parameters_; }
  /// Views of them under Hugging Face's names, queries, keys and values apart.
  std::vector<std::pair<std::string, at::Tensor>> hugging_face() const;

  const nn::EmbeddingWeights& embedding() const { return embedding_; }
  const std::vector<nn::EncoderLayerWeights>& layers() const { return layers_; }
  const nn::MaskedHeadWeights& head() const { return head_; }

  /// hidden_states[layer] of packed tokens [T]: [T, H]. With gradients, unless they are off.
  at::Tensor hidden(const at::Tensor& tokens, const nn::Offsets& offsets, std::int64_t layer) const;
  /// The last layer's output as it is trained, of the chosen tokens alone.
  at::Tensor trained(const at::Tensor& tokens, const nn::Offsets& offsets,
                     const nn::ChosenRows& chosen, nn::EncoderDropout dropout) const;
  void to(c10::Device device);

 private:
  at::Tensor add(const std::string& name, at::Tensor value);

  RankEncoderOptions options_;
  std::vector<Parameter> parameters_;
  nn::EmbeddingWeights embedding_;
  std::vector<nn::EncoderLayerWeights> layers_;
  nn::MaskedHeadWeights head_;
};

/// Place of each token in its sequence, [T] int64 on the host.
at::Tensor positions_of(const nn::Offsets& offsets);

}  // namespace cellmill::models
