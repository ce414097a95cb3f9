#include "models/factor_model.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "models/factor_likelihood.h"
#include "models/factor_markers.h"
#include "nn/multinomial.h"

namespace cellmill::models {

FactorShape factor_shape(const FactorOptions& options, const data::Vocabulary& vocabulary,
                         at::ScalarType dtype) {
  FactorShape shape;
  shape.genes = static_cast<std::int64_t>(vocabulary.genes.size());
  shape.fields = factor_fields(options.fields, vocabulary, dtype);
  shape.widths = {options.latents.biological, options.latents.technical,
                  options.latents.perturbation};
  for (std::size_t g = 0; g < kFactorGroups; ++g) {
    const bool any = std::any_of(shape.fields.begin(), shape.fields.end(),
                                 [g](const auto& field) { return field.group == g; });
    if (!any && !options.latents.without_fields) shape.widths[g] = 0;
  }
  if (!options.correction.targets.empty())
    shape.corrections = static_cast<std::int64_t>(kCorrectionKinds.size());
  return shape;
}

FactorModel::FactorModel(const FactorOptions& options, const data::Vocabulary& vocabulary,
                         std::uint64_t seed, at::ScalarType dtype)
    : FactorModel(options, factor_shape(options, vocabulary, dtype), seed, dtype) {
  vocabulary_ = vocabulary;
  if (!options.correction.targets.empty()) {
    const auto& o = options.correction;
    corrections_.emplace(vocabulary, o.targets, o.kinds);
  }
  std::int64_t sums = 3 * network_.shape().genes + 1;
  for (const auto& field : network_.fields()) {
    sums += field.texts();
    if (chooses_markers(field)) sums += marker_sums_size(field.size(), network_.shape().genes);
  }
  surveyed_ = at::zeros({sums}, at::kDouble);
  for (const auto& name : options.markers.fields)
    if (std::none_of(network_.fields().begin(), network_.fields().end(), [&](const auto& field) {
          return field.name == name && chooses_markers(field);
        }))
      throw UsageError("model.factor_model.markers.fields: no category field '" + name + "'",
                       "name fields that the data have", Exit::kConfig);
}

bool FactorModel::chooses_markers(const FactorField& field) const {
  const auto& names = options_.markers.fields;
  return field.is_category() && std::find(names.begin(), names.end(), field.name) != names.end();
}

FactorModel::FactorModel(const FactorOptions& options, const FactorShape& shape, std::uint64_t seed,
                         at::ScalarType dtype)
    : options_(options),
      dtype_(dtype),
      network_(options, shape, seed, dtype),
      temperatures_(at::ones({static_cast<std::int64_t>(shape.fields.size())}, at::kDouble)) {
  if (network_.latent() == 0)
    throw UsageError("the factor model needs at least one metadata field with values",
                     "name fields with data.fields, or set model.factor_model.latents",
                     Exit::kConfig);
  for (const auto& [field, text] : options.loss.each) label_weight(field);
}

std::vector<Group> FactorModel::groups() {
  const auto& o = options_.optimiser;
  return {
      {"factor", o.learning_rate, o.beta1, o.beta2, o.epsilon, o.clip_norm, network_.parameters()}};
}

std::vector<std::pair<std::string, at::Tensor>> FactorModel::buffers() {
  std::vector<std::pair<std::string, at::Tensor>> all = {{"gene_mean", network_.gene_mean},
                                                         {"gene_variance", network_.gene_variance},
                                                         {"temperatures", temperatures_}};
  for (const auto& field : network_.fields()) {
    if (field.known.defined()) all.emplace_back("known." + field.name, field.known);
    if (field.is_category()) continue;
    all.emplace_back("table." + field.name, field.table);
    all.emplace_back("spread." + field.name, field.spread);
  }
  return all;
}

FactorInput FactorModel::counts_of(const data::Batch& batch) const {
  FactorInput input;
  input.counts = {batch.indptr, batch.indices, batch.values, batch.genes};
  input.total = nn::row_sums(input.counts);
  return input;
}

FactorInput FactorModel::input(const data::Batch& batch) const {
  auto input = counts_of(batch);
  for (const auto& field : network_.shape().fields)
    input.metadata.push_back(encoded(field, batch.labels.select(1, field.column), dtype_));
  if (corrections_) corrections_->select(batch.labels, input.targets, input.kinds);
  return input;
}

FactorNoise FactorModel::draw(const data::Batch& batch, std::uint64_t seed, bool training) const {
  const auto& o = options_.dropout;
  const auto mask = [&](const std::string& place, std::int64_t width, double dropped) {
    return draw_mask(batch, seed, place, width, dropped, 1 / (1 - dropped), dtype_);
  };
  FactorNoise noise;
  noise.eps = draw_normal(batch, seed, "eps", network_.latent(), dtype_);
  if (options_.loss.prior_reconstruction > 0)
    noise.eps_prior = draw_normal(batch, seed, "eps_prior", network_.latent(), dtype_);
  if (!training) return noise;
  if (o.input > 0) noise.masks["enc.input"] = mask("enc.input", network_.shape().genes, o.input);
  if (o.blocks > 0)
    for (const auto& [place, width] : network_.places())
      noise.masks[place] = mask(place, width, o.blocks);
  return noise;
}

Losses FactorModel::losses(const data::Batch& batch, const StepContext& context) {
  auto cells = input(batch);
  if (const double dropped = options_.dropout.fields; dropped > 0)
    for (const auto& field : network_.shape().fields)
      cells.keep[field.name] =
          draw_mask(batch, context.seed, "keep." + field.name, 1, dropped, 1, dtype_).squeeze(1);
  return run(cells, draw(batch, context.seed, /*training=*/true),
             static_cast<double>(batch.global_cells), context.step)
      .losses;
}

at::Tensor FactorModel::nll(const FactorInput& input, const at::Tensor& decoded,
                            bool from_prior) const {
  const auto likelihood = options_.chosen_likelihood();
  if (likelihood == "normal")
    return normal_nll(nn::densify(network_.normalised(input), dtype_), decoded,
                      network_.parameter(from_prior ? "lik.log_var_prior" : "lik.log_var"));
  if (likelihood == "multinomial") return nn::multinomial_nll(input.counts, decoded);
  return negative_binomial_nll(nn::densify(input.counts, dtype_), decoded,
                               network_.parameter("lik.log_theta"));
}

at::Tensor FactorModel::field_loss(const FactorField& field, const at::Tensor& z,
                                   const at::Tensor& metadata) const {
  const auto words = metadata.narrow(1, 0, field.size());
  const auto loss = words_cross_entropy(network_.logits(field, z), words);
  if (field.is_category()) return loss;
  const auto error = network_.value(field, z) - metadata.select(1, field.size());
  return loss + (words.sum(1) > 0).to(dtype_) * error.square() / 2;
}

double FactorModel::kl_weight(std::int64_t step) const {
  const auto& o = options_.loss;
  if (o.kl_steps == 0) return o.kl;
  return o.kl * std::min(1., static_cast<double>(step) / static_cast<double>(o.kl_steps));
}

double FactorModel::label_weight(const std::string& field) const {
  const auto found = options_.loss.each.find(field);
  if (found == options_.loss.each.end()) return options_.loss.labels;
  char* end = nullptr;
  const double value = std::strtod(found->second.c_str(), &end);
  if (found->second.empty() || *end != 0 || !(value >= 0))
    throw UsageError("model.factor_model.loss.each: " + field + ": '" + found->second + "'",
                     "a number of at least 0", Exit::kConfig);
  return value;
}

FactorOutputs FactorModel::run(const FactorInput& input, const FactorNoise& noise, double cells,
                               std::int64_t step) {
  const auto& weight = options_.loss;
  const auto& fields = network_.shape().fields;
  FactorOutputs out;
  const auto add = [&](const std::string& name, const at::Tensor& of_cells, double times) {
    out.losses.terms.push_back({name, of_cells.sum() / cells, times, "factor"});
  };
  out.posterior = network_.encode(input, noise);
  out.prior = network_.prior(input, noise);
  out.z = network_.sample(out.posterior, noise.eps);
  out.decoded = network_.decode(out.z, input, noise);
  out.nll = nll(input, out.decoded, false);
  add("reconstruction", out.nll, weight.reconstruction);
  if (weight.prior_reconstruction > 0) {
    const auto generated =
        network_.decode(network_.sample(out.prior, noise.eps_prior), input, FactorNoise{});
    add("prior_reconstruction", nll(input, generated, true), weight.prior_reconstruction);
  }
  Latents read = out.z;
  for (std::size_t g = 0; g < kFactorGroups; ++g) {
    if (!network_.has(g)) continue;
    const auto &q = out.posterior[g], &p = out.prior[g];
    add(std::string("kl/") + kFactorGroupNames[g],
        gaussian_kl(q.mean, q.log_variance, p.mean, p.log_variance), kl_weight(step));
    if (weight.read == "mean") read[g] = q.mean;
  }
  for (std::size_t f = 0; f < fields.size(); ++f) {
    if (!network_.has_head(fields[f])) continue;
    add("label/" + fields[f].name, field_loss(fields[f], read[fields[f].group], input.metadata[f]),
        label_weight(fields[f].name));
  }
  for (std::size_t f = 0; f < fields.size(); ++f) {
    for (std::size_t g = 0; g < kFactorGroups; ++g) {
      if (!network_.has_adversary(fields[f], g)) continue;
      add("adversary/" + fields[f].name + "/" + kFactorGroupNames[g],
          words_cross_entropy(network_.adversary(fields[f], g, read[g]), input.metadata[f]), 1);
    }
  }
  return out;
}

std::vector<at::Tensor> FactorModel::probabilities(const FactorInput& input) {
  const at::NoGradGuard no_gradients;
  return probabilities(network_.encode(input, {}));
}

std::vector<at::Tensor> FactorModel::probabilities(const Gaussians& posterior) const {
  const auto& fields = network_.shape().fields;
  std::vector<at::Tensor> all(fields.size());
  for (std::size_t f = 0; f < fields.size(); ++f) {
    if (!network_.has_head(fields[f])) continue;
    const auto logits = network_.logits(fields[f], posterior[fields[f].group].mean);
    all[f] = at::softmax(logits / temperatures_[static_cast<std::int64_t>(f)].item<double>(), 1);
  }
  return all;
}

void FactorModel::set_temperature(std::size_t field, double temperature) {
  temperatures_[static_cast<std::int64_t>(field)] = temperature;
}

at::Tensor FactorModel::generate(const FactorInput& metadata, const at::Tensor& eps,
                                 FactorInput* reference,
                                 std::array<bool, kFactorGroups> from_reference) {
  const at::NoGradGuard no_gradients;
  return network_.decode(chosen_latents(metadata, eps, reference, from_reference), metadata, {});
}

Latents FactorModel::chosen_latents(const FactorInput& metadata, const at::Tensor& eps,
                                    FactorInput* reference,
                                    std::array<bool, kFactorGroups> from_reference) {
  auto z = network_.sample(network_.prior(metadata, {}), eps);
  if (reference) {
    const auto own = network_.sample(network_.encode(*reference, {}), eps);
    for (std::size_t g = 0; g < kFactorGroups; ++g)
      if (from_reference[g]) z[g] = own[g];
  }
  return z;
}

at::Tensor FactorModel::expected(const at::Tensor& decoded) const {
  if (options_.chosen_likelihood() == "normal") return decoded;
  return at::log1p(options_.scale() * at::softmax(decoded, 1));
}

void FactorModel::to(c10::Device device) {
  network_.to(device);
  if (surveyed_.defined()) surveyed_ = surveyed_.to(device);
  if (corrections_) corrections_->to(device);
}

}  // namespace cellmill::models
