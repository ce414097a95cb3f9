#include "nn/transformer.h"

#include <ATen/ATen.h>

#include "nn/dropped_attention.h"
#include "nn/keyed_dropout.h"

namespace cellmill::nn {
namespace {

at::Tensor linear(const at::Tensor& x, const LinearWeights& w) {
  return at::linear(x.to(w.weight.scalar_type()), w.weight, w.bias);
}

// Places of draws: 0 the embeddings, then three a layer: the attention's probabilities, what the
// attention adds, what the feed-forward part adds.
at::Tensor dropped(const EncoderDropout& dropout, const at::Tensor& x, std::int64_t place) {
  return dropout.hidden > 0 ? keyed_dropout(x, dropout.keys, place, dropout.hidden) : x;
}

at::Tensor attention(const at::Tensor& qkv, const Offsets& offsets, const EncoderForm& form,
                     const EncoderDropout& dropout, std::int64_t place) {
  if (dropout.attention == 0) return packed_attention(qkv, offsets, form.heads);
  return dropped_attention(qkv, offsets, form.heads, {dropout.keys, place, dropout.attention});
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
                         const Offsets& offsets, const EncoderForm& form, std::int64_t layer,
                         const EncoderDropout& dropout) {
  const auto place = 3 * layer + 1;
  const auto attended = attention(linear(x, weights.qkv), offsets, form, dropout, place);
  const auto a = layer_norm(x + dropped(dropout, linear(attended, weights.output), place + 1),
                            weights.attention_norm, form.epsilon);
  return layer_norm(a + dropped(dropout, feed_forward(weights, a, form), place + 2), weights.norm,
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
