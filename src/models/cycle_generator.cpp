#include "models/cycle_generator.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "models/init.h"
#include "models/set_elements.h"

namespace cellmill::models {
namespace {

nn::FfnKind kind_of(const std::string& name) {
  if (name == "mlp") return nn::FfnKind::kMlp;
  return name == "linear" ? nn::FfnKind::kLinear : nn::FfnKind::kLinearRelu;
}

std::int64_t place(const std::vector<std::string>& names, const std::string& name) {
  const auto it = std::find(names.begin(), names.end(), name);
  return it == names.end() ? -1 : it - names.begin();
}

std::string first_names(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < 12; ++i) text += (i ? ", " : "") + names[i];
  return names.size() > 12 ? text + ", ..." : text;
}

}  // namespace

CycleGenerator::CycleGenerator(const CycleAutoencoderOptions& options,
                               const data::Vocabulary& vocabulary, std::uint64_t seed,
                               at::ScalarType dtype)
    : options_(options) {
  const auto genes = static_cast<std::int64_t>(vocabulary.genes.size());
  const auto latent = options.latent;
  const bool unit = options.init == "unit_columns";
  const auto weight = [&](const std::string& name, std::vector<std::int64_t> shape, double fan_in) {
    const auto outputs = static_cast<std::int64_t>(shape.size()) - 2;
    const double k = 1 / std::sqrt(fan_in);
    return unit ? unit_columns(seed, name, shape, outputs, dtype)
                : uniform(seed, name, shape, -k, k, dtype);
  };
  const auto bias = [&](bool wanted, const std::string& name, std::vector<std::int64_t> shape,
                        double fan_in) {
    const double k = 1 / std::sqrt(fan_in);
    return wanted ? uniform(seed, name, shape, -k, k, dtype) : at::Tensor();
  };
  base_ = unit ? unit_columns(seed, "base.weight", {latent, genes}, 0, dtype)
               : uniform(seed, "base.weight", {latent, genes}, 0,
                         2 / std::sqrt(static_cast<double>(latent * genes)), dtype);
  for (const auto& [field, control] : options.head.sets) {
    if (std::none_of(vocabulary.fields.begin(), vocabulary.fields.end(),
                     [&](const auto& f) { return f.name == field; })) {
      throw UsageError("model.cycle_autoencoder.head.sets: no field '" + field + "'", {},
                       Exit::kConfig);
    }
  }
  for (const auto& field : vocabulary.fields) {
    Head head;
    head.field = field.name;
    head.categories = field.categories;
    if (const auto set = options.head.sets.find(field.name); set != options.head.sets.end()) {
      head.elements = set_elements(set->second, field.categories);
      head.control = 0;
      for (const auto& category : field.categories) add_set(head, category);
    } else {
      head.elements = field.categories;
    }
    const auto n = static_cast<std::int64_t>(head.elements.size());
    const auto g = static_cast<double>(genes), l = static_cast<double>(latent);
    const auto& o = options.head;
    head.encoder = weight("encoder." + field.name + ".weight", {latent, genes}, g);
    head.encoder_bias = bias(o.encoder_bias, "encoder." + field.name + ".bias", {latent}, g);
    head.decoder = weight("decoder." + field.name + ".weight", {genes, latent}, l);
    head.decoder_bias = bias(o.decoder_bias, "decoder." + field.name + ".bias", {genes}, l);
    head.pool.kind = kind_of(o.ffn);
    head.pool.weight1 = weight("ffn." + field.name + ".weight1", {n, latent, latent}, l);
    head.pool.bias1 = bias(o.ffn_bias, "ffn." + field.name + ".bias1", {n, latent}, l);
    if (o.ffn == "mlp") {
      head.pool.weight2 = weight("ffn." + field.name + ".weight2", {n, latent, latent}, l);
      head.pool.bias2 = bias(o.ffn_bias, "ffn." + field.name + ".bias2", {n, latent}, l);
    }
    heads_.push_back(std::move(head));
  }
  for (const auto& parameter : parameters()) at::Tensor(parameter.value).set_requires_grad(true);
}

void CycleGenerator::add_set(Head& head, const std::string& category) const {
  std::vector<std::int64_t> members;
  for (const auto& name : split_set(category)) {
    const auto element = place(head.elements, name);
    if (element < 0) {
      throw UsageError(
          "field '" + head.field + "' has no element '" + name + "' of '" + category + "'",
          "elements are " + first_names(head.elements));
    }
    if (element != head.control) members.push_back(element);
  }
  head.members.push_back(std::move(members));
}

std::int64_t CycleGenerator::code_of(std::int64_t field, const std::string& text) {
  auto& head = heads_.at(static_cast<std::size_t>(field));
  const auto known = place(head.categories, text);
  if (known >= 0) return known;
  if (head.control < 0) {
    throw UsageError("field '" + head.field + "' has no category '" + text + "'",
                     "categories are " + first_names(head.categories));
  }
  add_set(head, text);
  head.categories.push_back(text);
  return static_cast<std::int64_t>(head.categories.size()) - 1;
}

std::vector<FieldRoute> CycleGenerator::routes(const at::Tensor& codes) const {
  std::vector<FieldRoute> routes;
  for (std::size_t f = 0; f < heads_.size(); ++f) {
    const auto column = codes.select(1, static_cast<std::int64_t>(f));
    const auto& head = heads_[f];
    routes.push_back({head.control < 0 ? nn::route_plain(column)
                                       : nn::route_sets(column, head.members, head.control),
                      (column >= 0).unsqueeze(1).to(base_.options())});
  }
  return routes;
}

std::pair<at::Tensor, at::Tensor> CycleGenerator::code(std::size_t f, const at::Tensor& encoded,
                                                       const FieldRoute& in,
                                                       const FieldRoute& out) const {
  const auto& pool = heads_[f].pool;
  auto hidden = encoded;
  if (options_.head.route == "source_and_target") {
    const auto mapped = nn::context_ffn(encoded, pool, in.routing);
    hidden = options_.head.missing_hidden == "keep" ? mapped + (1 - in.known) * encoded : mapped;
  }
  return {hidden, options_.head.scale * nn::context_ffn(hidden, pool, out.routing)};
}

GeneratorPass CycleGenerator::pass(const at::Tensor& x, const std::vector<FieldRoute>& in,
                                   const std::vector<FieldRoute>& out,
                                   bool keep_contributions) const {
  GeneratorPass result;
  const auto h = at::linear(x, base_);
  result.hidden.push_back(h);
  result.output = at::matmul(h, base_);
  if (keep_contributions) result.contributions.push_back(result.output);
  for (std::size_t f = 0; f < heads_.size(); ++f) {
    const auto& head = heads_[f];
    const auto [hidden, coded] =
        code(f, at::linear(x, head.encoder, head.encoder_bias), in[f], out[f]);
    auto term = at::linear(coded, head.decoder);
    if (head.decoder_bias.defined()) {
      term = term + (options_.head.scale * out[f].known) * head.decoder_bias;
    }
    result.hidden.push_back(hidden);
    result.output = result.output + term;
    if (keep_contributions) result.contributions.push_back(term);
  }
  return result;
}

std::vector<nn::GeneWeight> CycleGenerator::decoding() const {
  std::vector<nn::GeneWeight> weights = {{base_}};
  for (const auto& head : heads_) weights.push_back({head.decoder, /*by_gene=*/true});
  for (const auto& head : heads_) {
    if (head.decoder_bias.defined()) weights.push_back({head.decoder_bias});
  }
  return weights;
}

std::vector<nn::GeneWeight> CycleGenerator::encoding() const {
  std::vector<nn::GeneWeight> weights;
  for (const auto& head : heads_) weights.push_back({head.encoder});
  return weights;
}

CycleGenerator::Codes CycleGenerator::codes(const std::vector<at::Tensor>& encoded,
                                            const std::vector<FieldRoute>& in,
                                            const std::vector<FieldRoute>& out) const {
  Codes result{{encoded.front()}, {}};
  std::vector<at::Tensor> columns = {encoded.front()};
  for (std::size_t f = 0; f < heads_.size(); ++f) {
    const auto& bias = heads_[f].encoder_bias;
    const auto [hidden, coded] =
        code(f, bias.defined() ? encoded[f + 1] + bias : encoded[f + 1], in[f], out[f]);
    result.hidden.push_back(hidden);
    columns.push_back(coded);
  }
  for (std::size_t f = 0; f < heads_.size(); ++f) {
    if (heads_[f].decoder_bias.defined()) columns.push_back(options_.head.scale * out[f].known);
  }
  result.coefficients = at::cat(columns, 1);
  return result;
}

std::vector<at::Tensor> CycleGenerator::touched(const std::vector<FieldRoute>& a,
                                                const std::vector<FieldRoute>& b) const {
  std::vector<at::Tensor> masks;
  for (std::size_t f = 0; f < heads_.size(); ++f) {
    auto mask = at::zeros({static_cast<std::int64_t>(heads_[f].elements.size())}, at::kByte);
    auto* m = mask.mutable_data_ptr<std::uint8_t>();
    for (const auto* routing : {&a[f].routing, &b[f].routing}) {
      for (auto context : routing->context) m[context] = 1;
    }
    masks.push_back(mask);
  }
  return masks;
}

std::vector<Parameter> CycleGenerator::parameters() const {
  const auto& o = options_.optimiser;
  const double pool_decay = o.pool_weight_decay < 0 ? o.head_weight_decay : o.pool_weight_decay;
  std::vector<Parameter> list = {{"base.weight", base_, o.base_weight_decay, -1}};
  const auto add = [&](const std::string& name, const at::Tensor& value, double decay,
                       int touched) {
    if (value.defined()) list.push_back({name, value, decay, touched});
  };
  for (std::size_t f = 0; f < heads_.size(); ++f) {
    const auto& head = heads_[f];
    add("encoder." + head.field + ".weight", head.encoder, o.head_weight_decay, -1);
    add("encoder." + head.field + ".bias", head.encoder_bias, o.head_weight_decay, -1);
    add("decoder." + head.field + ".weight", head.decoder, o.head_weight_decay, -1);
    add("decoder." + head.field + ".bias", head.decoder_bias, o.head_weight_decay, -1);
    const auto slot = static_cast<int>(f);
    add("ffn." + head.field + ".weight1", head.pool.weight1, pool_decay, slot);
    add("ffn." + head.field + ".bias1", head.pool.bias1, pool_decay, slot);
    add("ffn." + head.field + ".weight2", head.pool.weight2, pool_decay, slot);
    add("ffn." + head.field + ".bias2", head.pool.bias2, pool_decay, slot);
  }
  return list;
}

void CycleGenerator::project() {
  if (options_.non_negative == "none") return;
  for (const auto& parameter : parameters()) {
    if (options_.non_negative == "all" || parameter.name == "base.weight") {
      at::Tensor value = parameter.value.detach();
      value.clamp_min_(0);
    }
  }
}

void CycleGenerator::to(c10::Device device) {
  for (const auto& parameter : parameters()) {
    at::Tensor value = parameter.value;
    value.set_data(value.detach().to(device));
  }
}

}  // namespace cellmill::models
