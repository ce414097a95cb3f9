#include "models/cycle_autoencoder.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "models/target_contexts.h"
#include "nn/losses.h"
#include "nn/sparse.h"

namespace cellmill::models {
namespace {

std::size_t place_of(const data::Vocabulary& vocabulary, const std::string& field,
                     const std::string& setting) {
  for (std::size_t f = 0; f < vocabulary.fields.size(); ++f) {
    if (vocabulary.fields[f].name == field) return f;
  }
  throw UsageError("model.cycle_autoencoder." + setting + ": no field '" + field + "'", {},
                   Exit::kConfig);
}

double probability(const std::string& field, const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != 0 || !(value >= 0 && value <= 1)) {
    throw UsageError("model.cycle_autoencoder.targets.keep: " + field + ": '" + text + "'",
                     "a probability, 0 to 1", Exit::kConfig);
  }
  return value;
}

}  // namespace

CycleAutoencoder::CycleAutoencoder(const CycleAutoencoderOptions& options,
                                   const data::Vocabulary& vocabulary, std::uint64_t seed,
                                   at::ScalarType dtype)
    : options_(options),
      vocabulary_(vocabulary),
      dtype_(dtype),
      generator_(options, vocabulary, seed, dtype),
      classifier_(vocabulary, options.classifier_hidden, seed, dtype) {
  if (vocabulary.fields.empty()) {
    throw UsageError("the cycle autoencoder needs at least one metadata field",
                     "name fields with data.fields", Exit::kConfig);
  }
  keep_.assign(vocabulary.fields.size(), options.targets.keep_probability);
  for (const auto& [field, text] : options.targets.keep) {
    keep_.at(place_of(vocabulary, field, "targets.keep")) = probability(field, text);
  }
  if (options.targets.legacy_single_field) std::fill(keep_.begin(), keep_.end() - 1, 1.);
  for (const auto& field : options.loss.match_kept) {
    match_kept_.push_back(
        static_cast<std::int64_t>(place_of(vocabulary, field, "loss.match_kept")));
  }
  if (options.loss.match > 0) populations_.emplace(vocabulary, options.loss.match_fields, dtype);
}

std::vector<Group> CycleAutoencoder::groups() {
  const auto& o = options_.optimiser;
  return {{"generator", o.learning_rate, o.beta1, o.beta2, o.epsilon, o.clip_norm,
           generator_.parameters()},
          {"classifier", o.classifier_learning_rate, o.beta1, o.beta2, o.epsilon, 0,
           classifier_.parameters()}};
}

std::vector<std::pair<std::string, at::Tensor>> CycleAutoencoder::buffers() {
  return populations_ ? populations_->buffers() : std::vector<std::pair<std::string, at::Tensor>>{};
}

nn::Csr CycleAutoencoder::csr(const data::Batch& batch) const {
  return {batch.indptr, batch.indices, batch.values, batch.genes};
}

at::Tensor CycleAutoencoder::dense(const data::Batch& batch) const {
  return nn::densify(csr(batch), dtype_);
}

at::Tensor CycleAutoencoder::draw(const data::Batch& batch, std::uint64_t seed) const {
  std::vector<std::int64_t> categories;
  for (const auto& field : vocabulary_.fields) {
    categories.push_back(static_cast<std::int64_t>(field.categories.size()));
  }
  return draw_targets(batch.labels.cpu(), batch.cells, categories, keep_,
                      options_.targets.exclude_source, seed, batch.epoch)
      .to(batch.labels.device());
}

Losses CycleAutoencoder::losses(const data::Batch& batch, const StepContext& context) {
  return run(batch, draw(batch, context.seed), context, false).losses;
}

CycleOutputs CycleAutoencoder::plain_passes(const data::Batch& batch, const at::Tensor& targets,
                                            const StepContext& context) const {
  const auto x = dense(batch);
  const auto from = generator_.routes(batch.labels), to = generator_.routes(targets);
  CycleOutputs out;
  out.first = generator_.pass(x, from, to, true);
  out.second = generator_.pass(out.first.output, to, from, true);
  out.target_logits = classifier_.logits(out.first.output, /*frozen=*/true);
  out.real_logits = classifier_.logits(x, /*frozen=*/false);
  out.squared_error = nn::squared_error_sum(out.second.output, x);
  if (populations_)
    out.match = matching(out.first.output, match_keys(batch.labels, targets), context);
  out.losses.touched = generator_.touched(from, to);
  return out;
}

CycleOutputs CycleAutoencoder::run(const data::Batch& batch, const at::Tensor& targets,
                                   const StepContext& context, bool keep_contributions) {
  const auto& weight = options_.loss;
  const auto cells = static_cast<double>(batch.global_cells);
  const auto known_targets = known_labels(targets, context);  // sums first: see StepContext
  const auto known = known_labels(batch.labels, context);
  CycleOutputs out = keep_contributions         ? plain_passes(batch, targets, context)
                     : factored(batch, context) ? factored_passes(batch, targets, context)
                                                : dense_passes(batch, targets, context);

  const auto over =
      weight.reconstruction_over == "sum" ? cells : cells * static_cast<double>(batch.genes);
  const auto target = labels_loss(out.target_logits, targets, known_targets, cells);
  const auto real = labels_loss(out.real_logits, batch.labels, known, cells);
  const auto mean = [](const std::vector<at::Tensor>& fields) { return at::stack(fields).mean(); };
  out.losses.terms = {
      {"reconstruction", out.squared_error / over, weight.reconstruction, "generator"},
      {"integration", integration(out.first, out.second, cells), weight.integration, "generator"},
      {"target", mean(target), weight.target, "generator"},
      {"classifier", mean(real), 1, "classifier"}};
  if (populations_) out.losses.terms.push_back({"match", out.match, weight.match, "generator"});
  for (std::size_t f = 0; f < target.size(); ++f) {
    const auto& field = vocabulary_.fields[f].name;
    out.losses.terms.push_back({"target/" + field, target[f].detach(), 0, "generator"});
    out.losses.terms.push_back({"classifier/" + field, real[f].detach(), 0, "classifier"});
  }
  return out;
}

at::Tensor CycleAutoencoder::integration(const GeneratorPass& first, const GeneratorPass& second,
                                         double cells) const {
  const std::size_t begin = options_.loss.integration_heads == "all" ? 0 : 1;
  const auto heads = static_cast<double>(first.hidden.size() - begin);
  at::Tensor sum;
  for (std::size_t h = begin; h < first.hidden.size(); ++h) {
    const auto error = nn::squared_error_sum(first.hidden[h], second.hidden[h]);
    sum = sum.defined() ? sum + error : error;
  }
  const double over = options_.loss.integration_over == "mean" ? heads : 1;
  return sum / (cells * static_cast<double>(options_.latent) * over);
}

at::Tensor CycleAutoencoder::known_labels(const at::Tensor& labels,
                                          const StepContext& context) const {
  if (options_.loss.labels_over == "batch") return {};
  auto known = (labels >= 0).sum(0).to(at::kDouble);
  context.sum_over_ranks(known);
  return at::clamp_min(known, 1);
}

std::vector<at::Tensor> CycleAutoencoder::labels_loss(const std::vector<at::Tensor>& logits,
                                                      const at::Tensor& labels,
                                                      const at::Tensor& known, double cells) const {
  std::vector<at::Tensor> losses;
  for (std::size_t f = 0; f < logits.size(); ++f) {
    const auto column = static_cast<std::int64_t>(f);
    const auto over = known.defined() ? known[column].item<double>() : cells;
    losses.push_back(nn::cross_entropy_sum(logits[f], labels.select(1, column).contiguous()) /
                     over);
  }
  return losses;
}

at::Tensor CycleAutoencoder::match_keys(const at::Tensor& source, const at::Tensor& targets) const {
  auto keys = populations_->keys(targets);
  for (const auto field : match_kept_) {
    keys = keys.masked_fill(source.select(1, field) != targets.select(1, field), -1);
  }
  return keys;
}

at::Tensor CycleAutoencoder::matching(const at::Tensor& generated, const at::Tensor& keys,
                                      const StepContext& context) const {
  const auto residual = generated - populations_->means().index_select(0, at::clamp_min(keys, 0));
  auto sums = nn::population_sums(residual, keys, populations_->count());
  context.sum_over_ranks(sums);
  return nn::population_matching(residual, keys, sums);
}

void CycleAutoencoder::survey(const data::Batch& batch) {
  populations_->survey(dense(batch), batch.labels);
}

void CycleAutoencoder::to(c10::Device device) {
  generator_.to(device);
  classifier_.to(device);
  if (populations_) populations_->to(device);
}

std::vector<Influence> CycleAutoencoder::influence(const data::Batch& batch) {
  std::vector<Influence> result;
  const auto terms = contributions(batch);
  const auto names = heads();
  for (std::size_t h = 0; h < terms.size(); ++h) result.push_back({names[h], terms[h].norm(2, 1)});
  return result;
}

at::Tensor CycleAutoencoder::counterfactual(const data::Batch& batch, const ContextRequest& request,
                                            ReadOut read_out) {
  const at::NoGradGuard no_gradients;
  auto wanted = batch.labels.clone();
  for (std::size_t k = 0; k < request.fields.size(); ++k) {
    wanted.select(1, request.fields[k])
        .fill_(generator_.code_of(request.fields[k], request.values[k]));
  }
  const auto x = dense(batch);
  const auto source = generator_.routes(batch.labels);
  const auto generated = generator_.pass(x, source, generator_.routes(wanted), false).output;
  if (read_out == ReadOut::kDirect) return generated;
  return x + generated - generator_.pass(x, source, source, false).output;
}

std::vector<std::string> CycleAutoencoder::heads() const {
  std::vector<std::string> names = {"base"};
  for (const auto& field : vocabulary_.fields) names.push_back(field.name);
  return names;
}

std::vector<at::Tensor> CycleAutoencoder::contributions(const data::Batch& batch) {
  const at::NoGradGuard no_gradients;
  const auto own = generator_.routes(batch.labels);
  return generator_.pass(dense(batch), own, own, true).contributions;
}

std::vector<at::Tensor> CycleAutoencoder::context_probabilities(const data::Batch& batch) {
  const at::NoGradGuard no_gradients;
  auto logits = classifier_.logits(dense(batch), true);
  for (auto& field : logits) field = at::softmax(field, 1);
  return logits;
}

}  // namespace cellmill::models
