#pragma once
// The layers of an encoder whose weights do not change any more, by the CPU's AVX-512: weights
// packed once in the order in which products read them; and all that a layer does with a token but
// attention, and the next layer's queries, keys and values, is done for a block of tokens while
// they are in the cache. A token's result depends on its own sequence alone, bit for bit, and on no
// number of threads. One call at a time.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "nn/layer_kernels.h"
#include "nn/transformer.h"

namespace cellmill::nn {

class PackedLayers {
 public:
  /// Whether there are kernels, and weights are float32 on the CPU, of widths divisible by 16.
  static bool fit(const EncoderKernels& kernels, const std::vector<EncoderLayerWeights>& layers);
  PackedLayers(const EncoderKernels& kernels, const std::vector<EncoderLayerWeights>& layers,
               const EncoderForm& form);
  /// x [T, H], the embeddings, through the first `layers` layers; the result's memory is this
  /// object's, until the next call.
  at::Tensor run(const at::Tensor& x, const Offsets& offsets, std::int64_t layers);

 private:
  struct Layer {
    PackedProduct qkv, output, up, down;
    const float *attention_weight, *attention_bias, *weight, *bias;  ///< of the layer norms
  };
  void reserve(std::int64_t tokens);
  PackedProduct packed(const LinearWeights& weights);
  const float* words(const float* x, std::int64_t count, float* room) const;
  void project(const Layer& layer, const float* x, float* room, std::int64_t begin,
               std::int64_t rows) const;
  const float* kept(const at::Tensor& values);
  void finish(const Layer& layer, const Layer* next, float* room, std::int64_t begin,
              std::int64_t rows) const;

  EncoderKernels kernels_;
  EncoderForm form_;
  std::vector<Layer> layers_;
  std::vector<at::Tensor> memory_;  ///< of the weights
  at::Tensor x_, qkv_, attended_;
};

}  // namespace cellmill::nn
