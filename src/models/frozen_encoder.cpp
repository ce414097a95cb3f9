#include "models/frozen_encoder.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

namespace cellmill::models {
namespace {

nn::LinearWeights cast(const nn::LinearWeights& w, at::ScalarType precision) {
  return {w.weight.detach().to(precision), w.bias.detach().to(precision)};
}

nn::NormWeights detached(const nn::NormWeights& w) { return {w.weight.detach(), w.bias.detach()}; }

at::Tensor tokens_of(const data::Sequences& sequences) {
  const auto count = static_cast<std::int64_t>(sequences.tokens.size());
  auto tokens = at::empty({count}, at::kLong);
  std::copy_n(sequences.tokens.begin(), count, tokens.mutable_data_ptr<std::int64_t>());
  return tokens;
}

}  // namespace

FrozenEncoder::FrozenEncoder(const RankNetwork& network, at::ScalarType precision)
    : form_(network.form()), precision_(precision) {
  const auto& e = network.embedding();
  embedding_ = {e.words.detach(), e.positions.detach(), e.types.detach(), detached(e.norm)};
  for (const auto& w : network.layers())
    layers_.push_back({cast(w.qkv, precision), cast(w.output, precision),
                       detached(w.attention_norm), cast(w.up, precision), cast(w.down, precision),
                       detached(w.norm)});
  const auto kernels = precision == at::kBFloat16 ? nn::bfloat16_encoder() : nn::float_encoder();
  if (nn::PackedLayers::fit(kernels, network.layers()))
    packed_.emplace(kernels, network.layers(), form_);
}

at::Tensor FrozenEncoder::packed(const data::Sequences& sequences, std::int64_t layer) {
  const at::NoGradGuard no_gradients;
  const auto device = embedding_.words.device();
  auto x = nn::embed(embedding_, tokens_of(sequences).to(device),
                     positions_of(sequences.offsets).to(device), form_);
  if (packed_) return packed_->run(x, sequences.offsets, layer);
  for (std::int64_t k = 0; k < layer; ++k)
    x = nn::encoder_layer(layers_[static_cast<std::size_t>(k)], x, sequences.offsets, form_);
  return x;
}

at::Tensor FrozenEncoder::padded(const data::Sequences& sequences, std::int64_t layer) const {
  const at::NoGradGuard no_gradients;
  const auto device = embedding_.words.device();
  const auto cells = sequences.size();
  std::int64_t length = 0;
  for (std::int64_t i = 0; i < cells; ++i) length = std::max(length, sequences.length(i));
  auto tokens = at::zeros({cells, length}, at::kLong), real = at::zeros({cells, length}, at::kBool);
  const auto all = tokens_of(sequences);
  for (std::int64_t i = 0; i < cells; ++i) {
    const auto count = sequences.length(i);
    tokens[i].narrow(0, 0, count) =
        all.narrow(0, sequences.offsets[static_cast<std::size_t>(i)], count);
    real[i].narrow(0, 0, count).fill_(true);
  }
  const auto mask = real.to(device).view({cells, 1, 1, length});
  auto x =
      nn::embed(embedding_, tokens.to(device), at::arange(length, at::kLong).to(device), form_);
  for (std::int64_t k = 0; k < layer; ++k)
    x = nn::padded_encoder_layer(layers_[static_cast<std::size_t>(k)], x, mask, form_);
  return x.flatten(0, 1).index_select(0, mask.flatten().nonzero().flatten());
}

}  // namespace cellmill::models
