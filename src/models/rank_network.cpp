#include "models/rank_network.h"

#include <ATen/ATen.h>

#include "models/init.h"

namespace cellmill::models {

RankNetwork::RankNetwork(const RankEncoderOptions& options, std::optional<std::uint64_t> seed,
                         at::ScalarType dtype)
    : options_(options) {
  const auto& o = options_;
  const auto matrix = [&](const std::string& name, std::int64_t rows, std::int64_t columns) {
    return add(name, seed ? normal(*seed, name, {rows, columns}, o.initializer_range, dtype)
                          : at::zeros({rows, columns}, dtype));
  };
  const auto zeros = [&](const std::string& name, std::int64_t size) {
    return add(name, at::zeros({size}, dtype));
  };
  const auto linear = [&](const std::string& name, std::int64_t out, std::int64_t in) {
    return nn::LinearWeights{matrix(name + ".weight", out, in), zeros(name + ".bias", out)};
  };
  const auto norm = [&](const std::string& name) {
    return nn::NormWeights{add(name + ".weight", at::ones({o.hidden}, dtype)),
                           zeros(name + ".bias", o.hidden)};
  };
  const std::string embeddings = "bert.embeddings.", head = "cls.predictions.";
  embedding_ = {matrix(embeddings + "word_embeddings.weight", o.vocabulary, o.hidden),
                matrix(embeddings + "position_embeddings.weight", o.max_length, o.hidden),
                matrix(embeddings + "token_type_embeddings.weight", o.type_vocabulary, o.hidden),
                norm(embeddings + "LayerNorm")};
  for (std::int64_t k = 0; k < o.layers; ++k) {
    const auto layer = "bert.encoder.layer." + std::to_string(k) + ".";
    layers_.push_back({linear(layer + "attention.self.qkv", 3 * o.hidden, o.hidden),
                       linear(layer + "attention.output.dense", o.hidden, o.hidden),
                       norm(layer + "attention.output.LayerNorm"),
                       linear(layer + "intermediate.dense", o.intermediate, o.hidden),
                       linear(layer + "output.dense", o.hidden, o.intermediate),
                       norm(layer + "output.LayerNorm")});
  }
  head_ = {linear(head + "transform.dense", o.hidden, o.hidden), norm(head + "transform.LayerNorm"),
           embedding_.words, zeros(head + "bias", o.vocabulary)};
}

at::Tensor RankNetwork::add(const std::string& name, at::Tensor value) {
  value.set_requires_grad(true);
  const double decay = value.dim() > 1 ? options_.optimiser.weight_decay : 0;
  parameters_.push_back({name, value, decay});
  return value;
}

nn::EncoderForm RankNetwork::form() const {
  return {options_.heads,
          options_.activation == "gelu" ? nn::Activation::kGelu : nn::Activation::kRelu,
          options_.layer_norm_eps};
}

std::vector<std::pair<std::string, at::Tensor>> RankNetwork::hugging_face() const {
  std::vector<std::pair<std::string, at::Tensor>> all;
  for (const auto& p : parameters_) {
    const auto value = p.value.detach();
    const auto joined = p.name.find(".qkv.");
    if (joined == std::string::npos) {
      all.emplace_back(p.name, value);
      continue;
    }
    std::int64_t part = 0;
    for (const char* name : {"query", "key", "value"})
      all.emplace_back(std::string(p.name).replace(joined + 1, 3, name),
                       value.narrow(0, part++ * options_.hidden, options_.hidden));
  }
  return all;
}

at::Tensor RankNetwork::hidden(const at::Tensor& tokens, const nn::Offsets& offsets,
                               std::int64_t layer) const {
  auto x = nn::embed(embedding_, tokens, positions_of(offsets).to(tokens.device()), form());
  for (std::int64_t k = 0; k < layer; ++k)
    x = nn::encoder_layer(layers_[static_cast<std::size_t>(k)], x, offsets, form());
  return x;
}

at::Tensor RankNetwork::trained(const at::Tensor& tokens, const nn::Offsets& offsets,
                                const nn::ChosenRows& chosen, nn::EncoderDropout dropout) const {
  auto x =
      nn::embed(embedding_, tokens, positions_of(offsets).to(tokens.device()), form(), dropout);
  for (const auto& layer : layers_) {
    const bool last = &layer == &layers_.back();
    x = nn::trained_encoder_layer(layer, x, offsets, form(), dropout, last ? &chosen : nullptr);
    ++dropout.layer;
  }
  return x;
}

void RankNetwork::to(c10::Device device) {
  for (auto& p : parameters_) p.value.set_data(p.value.detach().to(device));
}

at::Tensor positions_of(const nn::Offsets& offsets) {
  auto places = at::empty({offsets.back()}, at::kLong);
  auto* place = places.mutable_data_ptr<std::int64_t>();
  for (std::size_t i = 0; i + 1 < offsets.size(); ++i)
    for (std::int64_t k = 0; k < offsets[i + 1] - offsets[i]; ++k) *place++ = k;
  return places;
}

}  // namespace cellmill::models
