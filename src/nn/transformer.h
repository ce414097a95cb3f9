#pragma once
// The encoder of BERT (post-LN), as pure functions over sequences that lie one after another
// without padding; differentiable. T tokens, H hidden. A linear layer is computed in the dtype of
// its weights, all else in that of x.
//   embed  LN(word + position + type)
//   layer  a = LN(x + W_o attention(x W_qkv)), LN(a + W_down act(W_up a))
//   head   LN(act(W x)) times the words' own embeddings, + bias
// After Devlin et al., arXiv 1810.04805, with the parameters of Hugging Face's BertForMaskedLM.
#include <ATen/core/Tensor.h>

#include <cstdint>

#include "nn/attention.h"

namespace cellmill::nn {

/// kGelu: with the error function.
enum class Activation { kRelu, kGelu };

struct NormWeights {
  at::Tensor weight, bias;
};
struct LinearWeights {
  at::Tensor weight, bias;  ///< [out, in], [out]
};
struct EmbeddingWeights {
  at::Tensor words, positions, types;  ///< [vocabulary, H], [longest, H], [types, H]
  NormWeights norm;
};
struct EncoderLayerWeights {
  LinearWeights qkv;  ///< [3 H, H]: queries, keys, values
  LinearWeights output;
  NormWeights attention_norm;
  LinearWeights up, down;
  NormWeights norm;
};
struct MaskedHeadWeights {
  LinearWeights dense;
  NormWeights norm;
  at::Tensor words, bias;  ///< [vocabulary, H], [vocabulary]
};

struct EncoderForm {
  std::int64_t heads = 1;
  Activation activation = Activation::kRelu;
  double epsilon = 1e-12;  ///< of the layer norms
};

/// What training drops: of the embeddings and of what a layer adds, and of the attention's
/// probabilities. The draws are a function of the tokens' keys alone (nn/keyed_dropout.h).
struct EncoderDropout {
  double hidden = 0, attention = 0;
  at::Tensor keys;         ///< [T] int64, host; not needed where both are 0
  std::int64_t layer = 0;  ///< of the draws
};

at::Tensor activate(const at::Tensor& x, Activation activation);
at::Tensor layer_norm(const at::Tensor& x, const NormWeights& weights, double epsilon);

/// tokens, positions [...] int64 -> [..., H]; all of type 0.
at::Tensor embed(const EmbeddingWeights& weights, const at::Tensor& tokens,
                 const at::Tensor& positions, const EncoderForm& form,
                 const EncoderDropout& dropout = {});
/// Rows of x whose output is wanted, rising; those of sequence i are [offsets[i], offsets[i+1]) of
/// them.
struct ChosenRows {
  at::Tensor rows;  ///< int64, on the device
  Offsets offsets;
};
/// Of layer number `layer`, from 0: x [T, H] -> [T, H].
at::Tensor encoder_layer(const EncoderLayerWeights& weights, const at::Tensor& x,
                         const Offsets& offsets, const EncoderForm& form);
/// As it is trained, and of the chosen rows alone if some are: what only other rows need is not
/// computed.
at::Tensor trained_encoder_layer(const EncoderLayerWeights& weights, const at::Tensor& x,
                                 const Offsets& offsets, const EncoderForm& form,
                                 const EncoderDropout& dropout, const ChosenRows* chosen = nullptr);
/// x [n, H] -> logits [n, vocabulary].
at::Tensor masked_logits(const MaskedHeadWeights& weights, const at::Tensor& x,
                         const EncoderForm& form);

/// The layer as it is for sequences padded to one length, by LibTorch's own operations: x [B, L,
/// H]; `mask` [B, 1, 1, L] bool, false where there is no token, or undefined: all have one.
at::Tensor padded_encoder_layer(const EncoderLayerWeights& weights, const at::Tensor& x,
                                const at::Tensor& mask, const EncoderForm& form);

}  // namespace cellmill::nn
