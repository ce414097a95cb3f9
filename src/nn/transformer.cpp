#include "nn/transformer.h"

#include <ATen/ATen.h>

#include "nn/keyed_dropout.h"
#include "nn/trained_attention.h"

namespace cellmill::nn {
namespace {

at::Tensor linear(const at::Tensor& x, const LinearWeights& w) {
  return at::linear(x.to(w.weight.scalar_type()), w.weight, w.bias);
}

/// Rows [begin, end) of a layer that computes several things at once.
LinearWeights rows_of(const LinearWeights& w, std::int64_t begin, std::int64_t end) {
  return {w.weight.slice(0, begin, end), w.bias.slice(0, begin, end)};
}

// Places of draws: 0 the embeddings, then three a layer: the attention's probabilities, what the
// attention adds, what the feed-forward part adds.
constexpr std::int64_t kAttention = 1, kAttended = 2, kFed = 3;

at::Tensor dropped(const EncoderDropout& dropout, const at::Tensor& x, std::int64_t place) {
  if (dropout.hidden == 0) return x;
  return keyed_dropout(x, dropout.keys, 3 * dropout.layer + place, dropout.hidden);
}

at::Tensor feed_forward(const EncoderLayerWeights& w, const at::Tensor& x,
                        const EncoderForm& form) {
  return linear(activate(linear(x, w.up), form.activation), w.down);
}

}  // namespace

at::Tensor activate(const at::Tensor& x, Activation activation) {
  return activation == Activation::kRelu ? at::relu(x) : at::gelu(x);
}

at::Tensor layer_norm(const at::Tensor& x, const NormWeights& weights, double epsilon) {
  return at::layer_norm(x, {x.size(-1)}, weights.weight, weights.bias, epsilon);
}

at::Tensor embed(const EmbeddingWeights& weights, const at::Tensor& tokens,
                 const at::Tensor& positions, const EncoderForm& form,
                 const EncoderDropout& dropout) {
  const auto sum = at::embedding(weights.words, tokens) + weights.types[0] +
                   at::embedding(weights.positions, positions);
  return dropped(dropout, layer_norm(sum, weights.norm, form.epsilon), 0);
}

at::Tensor encoder_layer(const EncoderLayerWeights& weights, const at::Tensor& x,
                         const Offsets& offsets, const EncoderForm& form) {
  const auto attended = packed_attention(linear(x, weights.qkv), offsets, form.heads);
  const auto a =
      layer_norm(x + linear(attended, weights.output), weights.attention_norm, form.epsilon);
  return layer_norm(a + feed_forward(weights, a, form), weights.norm, form.epsilon);
}

at::Tensor trained_encoder_layer(const EncoderLayerWeights& weights, const at::Tensor& x,
                                 const Offsets& offsets, const EncoderForm& form,
                                 const EncoderDropout& dropout, const ChosenRows* chosen) {
  const auto width = x.size(1);
  const auto asking = chosen ? x.index_select(0, chosen->rows) : x;
  auto drop = dropout;
  if (chosen && drop.keys.defined()) drop.keys = drop.keys.index_select(0, chosen->rows.cpu());
  const auto attended = trained_attention(
      linear(asking, rows_of(weights.qkv, 0, width)), chosen ? chosen->offsets : offsets,
      linear(x, rows_of(weights.qkv, width, 3 * width)), offsets, form.heads,
      {drop.keys, 3 * drop.layer + kAttention, drop.attention});
  const auto a = layer_norm(asking + dropped(drop, linear(attended, weights.output), kAttended),
                            weights.attention_norm, form.epsilon);
  return layer_norm(a + dropped(drop, feed_forward(weights, a, form), kFed), weights.norm,
                    form.epsilon);
}

at::Tensor masked_logits(const MaskedHeadWeights& weights, const at::Tensor& x,
                         const EncoderForm& form) {
  const auto hidden =
      layer_norm(activate(linear(x, weights.dense), form.activation), weights.norm, form.epsilon);
  return at::linear(hidden, weights.words, weights.bias);
}

at::Tensor padded_encoder_layer(const EncoderLayerWeights& weights, const at::Tensor& x,
                                const at::Tensor& mask, const EncoderForm& form) {
  const auto cells = x.size(0), length = x.size(1), width = x.size(2);
  const auto qkv = linear(x, weights.qkv)
                       .view({cells, length, 3, form.heads, width / form.heads})
                       .permute({2, 0, 3, 1, 4});
  const std::optional<at::Tensor> bias =
      mask.defined() ? std::optional<at::Tensor>(mask) : std::nullopt;
  const auto attended = at::scaled_dot_product_attention(qkv[0], qkv[1], qkv[2], bias)
                            .transpose(1, 2)
                            .reshape({cells, length, width});
  const auto a =
      layer_norm(x + linear(attended, weights.output), weights.attention_norm, form.epsilon);
  return layer_norm(a + feed_forward(weights, a, form), weights.norm, form.epsilon);
}

}  // namespace cellmill::nn
