#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "base/error.h"
#include "base/nearest.h"
#include "base/random.h"
#include "models/factor_model.h"
#include "models/init.h"
#include "nn/rounded_counts.h"

namespace cellmill::models {
namespace {

at::Tensor known_words(const FactorField& field) { return at::nonzero(field.known).squeeze(1); }

at::Tensor drawn_eps(const std::vector<std::uint64_t>& seeds, std::int64_t width,
                     at::ScalarType dtype) {
  auto eps = at::empty({static_cast<std::int64_t>(seeds.size()), width}, at::kDouble);
  auto* value = eps.mutable_data_ptr<double>();
  for (const auto seed : seeds)
    for (std::int64_t c = 0; c < width; ++c)
      *value++ = random::normal(
          random::bits(random::Use::kNoise, {seed, key_of("eps"), static_cast<std::uint64_t>(c)}));
  return eps.to(dtype);
}

/// One row of counts: `proportion` sums to 1.
void draw_multinomial(const double* proportion, std::int64_t genes, double total,
                      std::mt19937_64& engine, double* counts) {
  auto left = static_cast<std::int64_t>(std::llround(total));
  double rest = 1;
  for (std::int64_t g = 0; g < genes && left > 0; ++g) {
    const double p = rest > 0 ? std::min(1., proportion[g] / rest) : 1;
    const auto drawn = std::binomial_distribution<std::int64_t>(left, p)(engine);
    counts[g] = static_cast<double>(drawn);
    left -= drawn;
    rest -= proportion[g];
  }
}

void draw_negative_binomial(const double* proportion, const double* theta, std::int64_t genes,
                            double total, std::mt19937_64& engine, double* counts) {
  for (std::int64_t g = 0; g < genes; ++g) {
    const double mean =
        std::gamma_distribution<double>(theta[g], total * proportion[g] / theta[g])(engine);
    counts[g] =
        mean > 0 ? static_cast<double>(std::poisson_distribution<std::int64_t>(mean)(engine)) : 0;
  }
}

}  // namespace

void FactorModel::freeze() {
  network_.freeze();
  metadata_fields_.clear();
  for (const auto& field : network_.shape().fields) {
    MetadataField described{field.name, field.group, field.kind, field.words,
                            network_.has_head(field)};
    if (field.known.defined()) {
      described.words.clear();
      const auto known = known_words(field).cpu();
      for (std::int64_t i = 0; i < known.size(0); ++i)
        described.words.push_back(field.words[known[i].item<std::int64_t>()]);
    }
    metadata_fields_.push_back(std::move(described));
  }
}

std::optional<std::string> FactorModel::problem_with(std::size_t field,
                                                     const std::string& text) const {
  return problem_of(network_.shape().fields[field], text);
}

MetadataReading FactorModel::read_metadata(const data::Batch& batch, ReadMode mode) {
  const at::NoGradGuard no_gradients;
  const auto input = counts_of(batch);
  const auto posterior = network_.encode(input, {});
  MetadataReading reading;
  reading.totals = input.total;
  reading.probabilities = probabilities(posterior);
  const auto& fields = network_.shape().fields;
  reading.values.resize(fields.size());
  for (std::size_t f = 0; f < fields.size(); ++f) {
    if (!network_.has_head(fields[f])) continue;
    if (fields[f].known.defined())
      reading.probabilities[f] = reading.probabilities[f].index_select(1, known_words(fields[f]));
    if (!fields[f].is_category())
      reading.values[f] =
          unscaled(fields[f], network_.value(fields[f], posterior[fields[f].group].mean));
  }
  for (std::size_t g = 0; g < kFactorGroups; ++g) reading.latents[g] = posterior[g].mean;
  if (mode == ReadMode::kLabelsAndExpression)
    reading.decoded = network_.decode(network_.sample(posterior, {}), input, {});
  return reading;
}

FactorInput FactorModel::described(const std::vector<Metadata>& samples) const {
  const auto& fields = network_.shape().fields;
  const auto device = network_.gene_mean.device();
  for (const auto& sample : samples) {
    for (const auto& [name, text] : sample) {
      const auto field =
          std::find_if(fields.begin(), fields.end(), [&](const auto& f) { return f.name == name; });
      if (field == fields.end()) {
        std::vector<std::string> names;
        for (const auto& f : fields) names.push_back(f.name);
        throw UsageError("the model has no metadata field '" + name + "'",
                         did_you_mean(name, names));
      }
      if (const auto problem = problem_of(*field, text)) throw UsageError(*problem);
    }
  }
  FactorInput input;
  input.total = at::zeros({static_cast<std::int64_t>(samples.size())},
                          at::TensorOptions(device).dtype(at::kDouble));
  for (const auto& field : fields) {
    std::vector<std::string> texts;
    for (const auto& sample : samples) {
      const auto found = sample.find(field.name);
      texts.push_back(found == sample.end() ? std::string() : found->second);
    }
    input.metadata.push_back(encoded(field, texts, dtype_).to(device));
  }
  if (corrections_) {
    corrections_->select(samples, input.targets, input.kinds);
    input.targets = input.targets.to(device);
    input.kinds = input.kinds.to(device);
  }
  return input;
}

Draft FactorModel::generate(const Recipe& recipe) {
  const at::NoGradGuard no_gradients;
  const auto metadata = described(recipe.metadata);
  const auto eps =
      recipe.seeds.empty()
          ? at::Tensor()
          : drawn_eps(recipe.seeds, network_.latent(), dtype_).to(network_.gene_mean.device());
  std::optional<FactorInput> reference;
  if (recipe.reference) reference = counts_of(*recipe.reference);
  Draft draft;
  draft.latents =
      chosen_latents(metadata, eps, reference ? &*reference : nullptr, recipe.from_reference);
  draft.decoded = network_.decode(draft.latents, metadata, {});
  return draft;
}

at::Tensor FactorModel::proportions(const at::Tensor& decoded) const {
  const auto o = decoded.to(at::kDouble);
  if (options_.chosen_likelihood() != "normal") return at::softmax(o, 1);
  auto expressed = at::clamp_min(o, 0).expm1_();
  return expressed.div_(at::clamp_min(expressed.sum(1, true), 1e-300));
}

std::vector<std::vector<std::int32_t>> FactorModel::expected_counts(
    const MetadataReading& reading) const {
  const bool normal = options_.chosen_likelihood() == "normal";
  return nn::rounded_counts(reading.decoded, normal ? nn::Decoded::kLog1p : nn::Decoded::kLogits,
                            reading.totals);
}

at::Tensor FactorModel::draw(const at::Tensor& decoded, const std::vector<double>& totals,
                             const std::vector<std::uint64_t>& seeds) const {
  const at::NoGradGuard no_gradients;
  const auto likelihood = options_.chosen_likelihood();
  const bool normal = likelihood == "normal";
  const auto genes = decoded.size(1);
  const auto from_prior =
      options_.loss.prior_reconstruction > 0 ? "lik.log_var_prior" : "lik.log_var";
  const auto of_gene = [&](const std::string& name) {
    return at::exp(network_.parameter(name).detach().to(at::kCPU, at::kDouble)).contiguous();
  };
  const auto deviation = normal ? at::sqrt(of_gene(from_prior)) : at::Tensor();
  const auto theta = likelihood == "nb" ? of_gene("lik.log_theta") : at::Tensor();
  const auto source = (normal ? decoded.to(at::kDouble) : proportions(decoded)).cpu().contiguous();
  auto drawn = at::zeros({decoded.size(0), genes}, at::kDouble);
  for (std::int64_t b = 0; b < decoded.size(0); ++b) {
    std::mt19937_64 engine(random::bits(random::Use::kNoise, {seeds[b], key_of("counts")}));
    const auto* from = source.const_data_ptr<double>() + b * genes;
    auto* to = drawn.mutable_data_ptr<double>() + b * genes;
    if (likelihood == "nb") {
      draw_negative_binomial(from, theta.const_data_ptr<double>(), genes, totals[b], engine, to);
    } else if (!normal) {
      draw_multinomial(from, genes, totals[b], engine, to);
    } else {
      std::normal_distribution<double> noise;
      for (std::int64_t g = 0; g < genes; ++g)
        to[g] = from[g] + noise(engine) * deviation.const_data_ptr<double>()[g];
    }
  }
  if (!normal) return drawn;
  return at::round(proportions(drawn) * at::tensor(totals, at::kDouble).unsqueeze(1));
}

}  // namespace cellmill::models
