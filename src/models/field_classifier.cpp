#include "models/field_classifier.h"

#include <ATen/ATen.h>

#include <cmath>

#include "models/init.h"

namespace cellmill::models {

FieldClassifier::FieldClassifier(const data::Vocabulary& vocabulary,
                                 const std::vector<std::int64_t>& hidden, std::uint64_t seed,
                                 at::ScalarType dtype) {
  const auto layer = [&](const std::string& name, std::int64_t in, std::int64_t out) {
    const double k = 1 / std::sqrt(static_cast<double>(in));
    Layer made{name, uniform(seed, name + ".weight", {out, in}, -k, k, dtype),
               uniform(seed, name + ".bias", {out}, -k, k, dtype)};
    made.weight.set_requires_grad(true);
    made.bias.set_requires_grad(true);
    return made;
  };
  auto width = static_cast<std::int64_t>(vocabulary.genes.size());
  for (std::size_t k = 0; k < hidden.size(); ++k) {
    hidden_.push_back(layer("classifier.hidden." + std::to_string(k), width, hidden[k]));
    width = hidden[k];
  }
  for (const auto& field : vocabulary.fields) {
    outputs_.push_back(layer("classifier." + field.name, width,
                             static_cast<std::int64_t>(field.categories.size())));
  }
}

std::vector<at::Tensor> FieldClassifier::outputs(at::Tensor h, std::size_t first_hidden,
                                                 bool frozen) const {
  const auto apply = [frozen](const Layer& layer, const at::Tensor& input) {
    return frozen ? at::linear(input, layer.weight.detach(), layer.bias.detach())
                  : at::linear(input, layer.weight, layer.bias);
  };
  for (auto k = first_hidden; k < hidden_.size(); ++k) h = at::relu(apply(hidden_[k], h));
  std::vector<at::Tensor> logits;
  for (const auto& layer : outputs_) logits.push_back(apply(layer, h));
  return logits;
}

std::vector<at::Tensor> FieldClassifier::logits(const at::Tensor& x, bool frozen) const {
  return outputs(x, 0, frozen);
}

std::vector<nn::GeneWeight> FieldClassifier::first_layer() const {
  std::vector<nn::GeneWeight> weights;
  for (const auto& layer : hidden_.empty() ? outputs_ : std::vector<Layer>{hidden_.front()})
    weights.push_back({layer.weight, /*by_gene=*/false, /*frozen_in_gram=*/true});
  return weights;
}

std::vector<at::Tensor> FieldClassifier::logits_after_first(const std::vector<at::Tensor>& products,
                                                            bool frozen) const {
  const auto with_bias = [&](const at::Tensor& product, const Layer& layer) {
    return product + (frozen ? layer.bias.detach() : layer.bias);
  };
  if (!hidden_.empty())
    return outputs(at::relu(with_bias(products.front(), hidden_.front())), 1, frozen);
  std::vector<at::Tensor> logits;
  for (std::size_t f = 0; f < outputs_.size(); ++f)
    logits.push_back(with_bias(products[f], outputs_[f]));
  return logits;
}

std::vector<Parameter> FieldClassifier::parameters() const {
  std::vector<Parameter> list;
  for (const auto* layers : {&hidden_, &outputs_}) {
    for (const auto& layer : *layers) {
      list.push_back({layer.name + ".weight", layer.weight, 0, -1});
      list.push_back({layer.name + ".bias", layer.bias, 0, -1});
    }
  }
  return list;
}

void FieldClassifier::to(c10::Device device) {
  for (const auto& parameter : parameters()) {
    at::Tensor value = parameter.value;
    value.set_data(value.detach().to(device));
  }
}

}  // namespace cellmill::models
