#include "models/factor_network.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <numeric>

#include "models/init.h"

namespace cellmill::models {
namespace {

constexpr double kNormEpsilon = 1e-5;
constexpr double kLogVarianceLimit = 8;
constexpr std::int64_t kPackedFrom = 1 << 16;  // numbers of a weight; smaller ones fit in a cache
constexpr double kNever = -1e4;                // a logit: probability 0 without a NaN anywhere

std::string group_name(std::size_t group) { return kFactorGroupNames[group]; }

}  // namespace

FactorNetwork::FactorNetwork(const FactorOptions& options, const FactorShape& shape,
                             std::uint64_t seed, at::ScalarType dtype)
    : gene_mean(at::zeros({shape.genes}, dtype)),
      gene_variance(at::ones({shape.genes}, dtype)),
      options_(options),
      shape_(shape),
      seed_(seed),
      dtype_(dtype) {
  const auto& n = options.network;
  add_linear("enc.in", shape.genes, n.hidden);
  add_blocks("enc.block", n.blocks, n.hidden);
  add_norm("enc.ln", n.hidden);
  for (std::size_t g = 0; g < kFactorGroups; ++g)
    if (has(g)) add_linear("enc.head." + group_name(g), n.hidden, 2 * shape.widths[g]);
  for (std::size_t g = 0; g < kFactorGroups; ++g) {
    if (!has(g) || prior_width(g) == 0) continue;
    const auto prior = "prior." + group_name(g);
    add_linear(prior + ".in", prior_width(g), n.prior_hidden);
    add_norm(prior + ".in_ln", n.prior_hidden);
    add_blocks(prior + ".block", n.prior_blocks, n.prior_hidden);
    add_norm(prior + ".ln", n.prior_hidden);
    add_linear(prior + ".out", n.prior_hidden, 2 * shape.widths[g], /*zero=*/true);
  }
  add_linear("dec.in", latent(), n.hidden);
  add_blocks("dec.block", n.blocks, n.hidden);
  add_norm("dec.ln", n.hidden);
  add_linear("dec.out", n.hidden, shape.genes);
  add_heads();
}

void FactorNetwork::add_heads() {
  const auto likelihood = options_.chosen_likelihood();
  if (likelihood == "normal") add("lik.log_var", at::zeros({shape_.genes}, dtype_));
  if (likelihood == "normal" && options_.loss.prior_reconstruction > 0)
    add("lik.log_var_prior", at::zeros({shape_.genes}, dtype_));
  if (likelihood == "nb") add("lik.log_theta", at::full({shape_.genes}, std::log(2.), dtype_));
  for (const auto& field : shape_.fields) {
    if (!has_head(field)) continue;
    add_linear("clf." + field.name, shape_.widths[field.group], field.size());
    if (!field.is_category())
      add_linear("clf." + field.name + ".value", shape_.widths[field.group], 1);
  }
  for (const auto& field : shape_.fields) {
    for (std::size_t g = 0; g < kFactorGroups; ++g) {
      if (!has_adversary(field, g)) continue;
      const auto name = "adv." + field.name + "." + group_name(g);
      const auto hidden = options_.network.adversary_hidden;
      if (hidden > 0) add_linear(name + ".fc1", shape_.widths[g], hidden);
      add_linear(name + ".out", hidden > 0 ? hidden : shape_.widths[g], field.size());
    }
  }
  if (shape_.corrections == 0) return;
  add("correction.weight", at::zeros({shape_.corrections}, dtype_));
  add("correction.bias", at::zeros({shape_.corrections}, dtype_));
}

void FactorNetwork::add(const std::string& name, const at::Tensor& value) {
  value.set_requires_grad(true);
  const double decay = value.dim() >= 2 ? options_.optimiser.weight_decay : 0;
  parameters_.push_back({name, value, decay, -1});
  by_name_.emplace(name, value);
}

void FactorNetwork::add_linear(const std::string& name, std::int64_t in, std::int64_t out,
                               bool zero) {
  const double k = zero || in == 0 ? 0 : 1 / std::sqrt(static_cast<double>(in));
  add(name + ".weight", uniform(seed_, name + ".weight", {out, in}, -k, k, dtype_));
  add(name + ".bias", at::zeros({out}, dtype_));
}

void FactorNetwork::add_norm(const std::string& name, std::int64_t width) {
  add(name + ".weight", at::ones({width}, dtype_));
  add(name + ".bias", at::zeros({width}, dtype_));
}

void FactorNetwork::add_blocks(const std::string& name, std::int64_t count, std::int64_t width) {
  const auto wide = width * options_.network.expand;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto block = name + "." + std::to_string(i);
    places_.emplace_back(block, wide);
    add_norm(block + ".ln1", width);
    add_linear(block + ".fc1", width, wide);
    add_norm(block + ".ln2", wide);
    add_linear(block + ".fc2", wide, width);
  }
}

std::int64_t FactorNetwork::latent() const {
  return std::accumulate(shape_.widths.begin(), shape_.widths.end(), std::int64_t{0});
}

std::int64_t FactorNetwork::prior_width(std::size_t group) const {
  std::int64_t width = 0;
  for (const auto& field : shape_.fields) {
    if (field.group != group) continue;
    width += field.width() + (field.embedding.defined() ? field.embedding.size(1) : 0);
  }
  return width;
}

at::Tensor FactorNetwork::linear(const std::string& name, const at::Tensor& x) const {
  if (const auto packed = packed_.find(name); packed != packed_.end())
    return nn::multiply(x, packed->second, parameter(name + ".bias"));
  return at::linear(x, parameter(name + ".weight"), parameter(name + ".bias"));
}

at::Tensor FactorNetwork::norm(const std::string& name, const at::Tensor& x) const {
  return at::layer_norm(x, {x.size(1)}, parameter(name + ".weight"), parameter(name + ".bias"),
                        kNormEpsilon);
}

at::Tensor FactorNetwork::activated(const at::Tensor& x) const {
  return options_.network.activation == "silu" ? at::silu(x) : at::relu(x);
}

at::Tensor FactorNetwork::blocks(const std::string& name, std::int64_t count, at::Tensor x,
                                 const FactorNoise& noise) const {
  for (std::int64_t i = 0; i < count; ++i) {
    const auto block = name + "." + std::to_string(i);
    auto h = activated(norm(block + ".ln2", linear(block + ".fc1", norm(block + ".ln1", x))));
    if (const auto mask = noise.masks.find(block); mask != noise.masks.end()) h = h * mask->second;
    x = x + linear(block + ".fc2", h);
  }
  return x;
}

nn::Csr FactorNetwork::normalised(const FactorInput& input) const {
  const auto& counts = input.counts;
  const auto factor = (options_.scale() / at::clamp_min(input.total, 1)).to(dtype_);
  auto y = counts;
  y.values = at::log1p(nn::scaled_values(counts, factor));
  return y;
}

std::pair<at::Tensor, at::Tensor> FactorNetwork::scaled_first_layer() const {
  const auto weight =
      parameter("enc.in.weight") / at::sqrt(gene_variance + options_.variance_floor);
  return {weight, parameter("enc.in.bias") - at::mv(weight, gene_mean)};
}

void FactorNetwork::freeze() {
  const at::NoGradGuard no_gradients;
  const auto [weight, constant] = scaled_first_layer();
  frozen_constant_ = constant;
  if (!nn::PackedMatrix::fits(weight)) {
    frozen_weight_ = weight.t().contiguous();
    return;
  }
  packed_first_ = nn::PackedMatrix(weight.t());
  for (const auto& [name, value] : by_name_) {
    const bool wide = value.dim() == 2 && value.numel() >= kPackedFrom && name != "enc.in.weight";
    if (wide && name.ends_with(".weight"))
      packed_.emplace(name.substr(0, name.size() - 7), nn::PackedMatrix(value.detach().t()));
  }
}

/// W x + b of x = (y - mean) / s, without making x: W x = (W / s) y - (W / s) mean. A mask couples
/// the constant part to the cell: then x is made.
at::Tensor FactorNetwork::first_layer(const FactorInput& input, const FactorNoise& noise) {
  const auto y = normalised(input);
  if (const auto mask = noise.masks.find("enc.input"); mask != noise.masks.end()) {
    const auto deviation = at::sqrt(gene_variance + options_.variance_floor);
    return linear("enc.in", (nn::densify(y, dtype_) - gene_mean) / deviation * mask->second);
  }
  if (packed_first_.defined()) return nn::multiply(y, packed_first_, frozen_constant_);
  if (frozen_weight_.defined()) return nn::multiply(y, frozen_weight_) + frozen_constant_;
  const auto [weight, constant] = scaled_first_layer();
  if (!at::GradMode::is_enabled()) return nn::multiply(y, weight.t().contiguous()) + constant;
  return nn::gene_products(y, {}, {nn::GeneWeight{weight}}, {}, tables_).expression.front() +
         constant;
}

Gaussian FactorNetwork::gaussian(const std::string& name, const at::Tensor& h) const {
  const auto parts = linear(name, h).chunk(2, 1);
  return {parts[0], at::clamp(parts[1], -kLogVarianceLimit, kLogVarianceLimit)};
}

Gaussians FactorNetwork::encode(const FactorInput& input, const FactorNoise& noise) {
  auto h = blocks("enc.block", options_.network.blocks, first_layer(input, noise), noise);
  h = norm("enc.ln", h);
  Gaussians q;
  for (std::size_t g = 0; g < kFactorGroups; ++g)
    if (has(g)) q[g] = gaussian("enc.head." + group_name(g), h);
  return q;
}

at::Tensor FactorNetwork::prior_input(std::size_t group, const FactorInput& input) const {
  std::vector<at::Tensor> columns;
  for (std::size_t f = 0; f < shape_.fields.size(); ++f) {
    const auto& field = shape_.fields[f];
    if (field.group != group) continue;
    auto m = input.metadata[f];
    if (field.embedding.defined()) m = at::cat({m, at::matmul(m, field.embedding)}, 1);
    const auto keep = input.keep.find(field.name);
    columns.push_back(keep == input.keep.end() ? m : m * keep->second.unsqueeze(1));
  }
  return at::cat(columns, 1);
}

Gaussians FactorNetwork::prior(const FactorInput& input, const FactorNoise& noise) const {
  Gaussians p;
  for (std::size_t g = 0; g < kFactorGroups; ++g) {
    if (!has(g)) continue;
    if (prior_width(g) == 0) {
      const auto zeros = at::zeros({input.size(), shape_.widths[g]}, gene_mean.options());
      p[g] = {zeros, zeros};
      continue;
    }
    const auto prior = "prior." + group_name(g);
    auto h = norm(prior + ".in_ln", linear(prior + ".in", prior_input(g, input)));
    h = blocks(prior + ".block", options_.network.prior_blocks, h, noise);
    p[g] = gaussian(prior + ".out", norm(prior + ".ln", h));
  }
  return p;
}

Latents FactorNetwork::sample(const Gaussians& from, const at::Tensor& eps) const {
  Latents z;
  std::int64_t begin = 0;
  for (std::size_t g = 0; g < kFactorGroups; ++g) {
    if (!has(g)) continue;
    const auto width = shape_.widths[g];
    z[g] = from[g].mean;
    if (eps.defined())
      z[g] = z[g] + at::exp(from[g].log_variance / 2) * eps.narrow(1, begin, width);
    begin += width;
  }
  return z;
}

at::Tensor FactorNetwork::decode(const Latents& z, const FactorInput& input,
                                 const FactorNoise& noise) const {
  std::vector<at::Tensor> joined;
  for (const auto& part : z)
    if (part.defined()) joined.push_back(part);
  const auto h =
      blocks("dec.block", options_.network.blocks, linear("dec.in", at::cat(joined, 1)), noise);
  const auto o = linear("dec.out", norm("dec.ln", h));
  if (shape_.corrections == 0 || !input.targets.defined()) return o;
  const auto target = at::clamp_min(input.targets, 0);
  const auto of_kind = [&](const char* name) {
    return parameter(name).index_select(0, input.kinds.flatten()).view(input.kinds.sizes());
  };
  const auto change =
      of_kind("correction.weight") * o.gather(1, target) + of_kind("correction.bias");
  return o.scatter_add(1, target, change * (input.targets >= 0).to(o.scalar_type()));
}

at::Tensor FactorNetwork::logits(const FactorField& field, const at::Tensor& z) const {
  const auto logits = linear("clf." + field.name, z);
  return field.known.defined() ? logits + kNever * (1 - field.known) : logits;
}

at::Tensor FactorNetwork::value(const FactorField& field, const at::Tensor& z) const {
  return linear("clf." + field.name + ".value", z).squeeze(1);
}

at::Tensor FactorNetwork::adversary(const FactorField& field, std::size_t group,
                                    const at::Tensor& z) const {
  const auto name = "adv." + field.name + "." + group_name(group);
  auto h = at::alias(z);
  if (h.requires_grad())
    h.register_hook([factor = options_.loss.adversary](const at::Tensor& gradient) {
      return -factor * gradient;
    });
  if (options_.network.adversary_hidden > 0) h = activated(linear(name + ".fc1", h));
  return linear(name + ".out", h);
}

void FactorNetwork::to(c10::Device device) {
  const auto move = [&](at::Tensor& tensor) {
    if (tensor.defined()) tensor.set_data(tensor.detach().to(device));
  };
  for (auto& p : parameters_) move(p.value);
  move(gene_mean);
  move(gene_variance);
  for (auto& field : shape_.fields) {
    move(field.table);
    move(field.spread);
    move(field.known);
    move(field.embedding);
  }
}

}  // namespace cellmill::models
