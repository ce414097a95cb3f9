#include "nn/packed_layers.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "nn/attention_forward.h"
#include "nn/huge_pages.h"
#include "nn/shared_work.h"

namespace cellmill::nn {
namespace {

/// Rows of floats, or of words of bfloat16.
float* row(const at::Tensor& x, std::int64_t row) {
  return reinterpret_cast<float*>(static_cast<char*>(x.mutable_data_ptr()) +
                                  row * x.size(1) * static_cast<std::int64_t>(x.element_size()));
}

}  // namespace

bool PackedLayers::fit(const EncoderKernels& kernels,
                       const std::vector<EncoderLayerWeights>& layers) {
  const auto fits = [](const LinearWeights& w) {
    return w.weight.is_cpu() && w.weight.scalar_type() == at::kFloat && w.weight.size(0) % 16 == 0;
  };
  return kernels.layer && std::all_of(layers.begin(), layers.end(), [&](const auto& w) {
           return fits(w.qkv) && fits(w.output) && fits(w.up) && fits(w.down);
         });
}

PackedLayers::PackedLayers(const EncoderKernels& kernels,
                           const std::vector<EncoderLayerWeights>& layers, const EncoderForm& form)
    : kernels_(kernels), form_(form) {
  for (const auto& w : layers)
    layers_.push_back({packed(w.qkv), packed(w.output), packed(w.up), packed(w.down),
                       kept(w.attention_norm.weight), kept(w.attention_norm.bias),
                       kept(w.norm.weight), kept(w.norm.bias)});
}

PackedProduct PackedLayers::packed(const LinearWeights& weights) {
  const auto from = weights.weight.detach().contiguous();
  const auto out = from.size(0), in = from.size(1);
  memory_.push_back(huge_empty({out, in / kernels_.layer->values}, from.options()));
  auto* to = row(memory_.back(), 0);
  kernels_.layer->pack(from.const_data_ptr<float>(), out, in, to);
  return {to, kept(weights.bias), in, out};
}

const float* PackedLayers::kept(const at::Tensor& values) {
  memory_.push_back(values.detach().to(at::kFloat).clone());
  return memory_.back().const_data_ptr<float>();
}

void PackedLayers::reserve(std::int64_t tokens) {
  if (x_.defined() && x_.size(0) >= tokens) return;
  const auto rows = with_spare_rows(tokens), width = layers_.front().output.out;
  const auto type = kernels_.layer->values == 2 ? at::kBFloat16 : at::kFloat;
  x_ = huge_empty({rows, width}, at::kFloat);
  attended_ = huge_empty({rows, width}, type);
  qkv_ = huge_empty({rows, 3 * width}, type);
}

at::Tensor PackedLayers::run(const at::Tensor& x, const Offsets& offsets, std::int64_t layers) {
  const auto tokens = x.size(0);
  if (layers == 0 || tokens == 0) return x;
  reserve(tokens);
  x_.narrow(0, 0, tokens).copy_(x);
  const auto qkv = qkv_.narrow(0, 0, tokens), attended = attended_.narrow(0, 0, tokens);
  const auto width = layers_.front().output.out, inner = layers_.front().up.out;
  const auto room = kBlockRows * (width + std::max(inner, width) + std::max(inner, 3 * width));
  const auto for_blocks = [&](const auto& run) {
    share_work((tokens + kBlockRows - 1) / kBlockRows, [&](std::int64_t block) {
      thread_local UnsetVector<float> memory;
      run(aligned(memory, room), block * kBlockRows,
          std::min(kBlockRows, tokens - block * kBlockRows));
    });
  };
  for_blocks([&](float* room, std::int64_t begin, std::int64_t rows) {
    project(layers_.front(), row(x_, begin), room, begin, rows);
  });
  for (std::int64_t k = 0; k < layers; ++k) {
    const auto& layer = layers_[static_cast<std::size_t>(k)];
    attention_forward_out(*kernels_.head, qkv, offsets, form_.heads, attended);
    for_blocks([&](float* room, std::int64_t begin, std::int64_t rows) {
      finish(layer, k + 1 < layers ? &layer + 1 : nullptr, room, begin, rows);
    });
  }
  return x_.narrow(0, 0, tokens);
}

const float* PackedLayers::words(const float* x, std::int64_t count, float* room) const {
  if (kernels_.layer->values == 1) return x;
  kernels_.layer->to_words(x, count, room);
  return room;
}

void PackedLayers::project(const Layer& layer, const float* x, float* room, std::int64_t begin,
                           std::int64_t rows) const {
  const auto& kernel = *kernels_.layer;
  const auto all = with_spare_rows(rows);
  const bool narrow = kernel.values > 1;
  float* const qkv = row(qkv_, begin);
  float* const wide = room + kBlockRows * layer.qkv.in;
  kernel.multiply(layer.qkv, words(x, all * layer.qkv.in, room), nullptr, false, rows,
                  narrow ? wide : qkv);
  if (narrow) kernel.to_words(wide, all * layer.qkv.out, qkv);
}

void PackedLayers::finish(const Layer& layer, const Layer* next, float* room, std::int64_t begin,
                          std::int64_t rows) const {
  const auto& kernel = *kernels_.layer;
  const auto width = layer.output.out, inner = layer.up.out, all = with_spare_rows(rows);
  const auto epsilon = static_cast<float>(form_.epsilon);
  const bool relu = form_.activation == Activation::kRelu;
  float *const a = room, *const wide = a + kBlockRows * width,
               *const rest = wide + kBlockRows * inner;
  float* const x = row(x_, begin);
  kernel.multiply(layer.output, row(attended_, begin), x, false, rows, a);
  kernel.normalise(a, rows, width, layer.attention_weight, layer.attention_bias, epsilon);
  kernel.multiply(layer.up, words(a, all * width, rest), nullptr, relu, rows, wide);
  if (!relu) {
    auto values = at::from_blob(wide, {rows, inner}, at::kFloat);
    at::gelu_(values);
  }
  kernel.multiply(layer.down, words(wide, all * inner, rest), a, false, rows, x);
  kernel.normalise(x, rows, width, layer.weight, layer.bias, epsilon);
  if (next) project(*next, x, room, begin, rows);
}

}  // namespace cellmill::nn
