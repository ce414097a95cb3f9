#include "models/rank_encoder.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <unordered_set>

#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "io/files.h"
#include "models/hugging_face.h"
#include "models/rank_evaluation.h"
#include "nn/losses.h"

namespace cellmill::models {
namespace {

constexpr const char* kSection = "model.rank_encoder";

RankEncoderOptions sized(RankEncoderOptions options, const data::GeneDictionary& dictionary) {
  if (options.vocabulary == 0) options.vocabulary = dictionary.size();
  if (options.vocabulary < dictionary.size())
    throw UsageError(fmt::format("{}.vocabulary: {} word embeddings for a dictionary of {} tokens",
                                 kSection, options.vocabulary, dictionary.size()),
                     "the dictionary is another model's, or set it to 0", Exit::kConfig);
  return options;
}

void check_shape(const RankEncoderOptions& found, const RankEncoderOptions& set) {
  std::string differences;
  const auto compare = [&](const char* name, const auto& folder, const auto& setting) {
    if (folder != setting)
      differences += fmt::format("{}{}: {} (and not {})", differences.empty() ? "" : ", ", name,
                                 folder, setting);
  };
  compare("vocabulary", found.vocabulary, set.vocabulary);
  compare("layers", found.layers, set.layers);
  compare("hidden", found.hidden, set.hidden);
  compare("heads", found.heads, set.heads);
  compare("intermediate", found.intermediate, set.intermediate);
  compare("max_length", found.max_length, set.max_length);
  compare("type_vocabulary", found.type_vocabulary, set.type_vocabulary);
  compare("activation", found.activation, set.activation);
  compare("layer_norm_eps", found.layer_norm_eps, set.layer_norm_eps);
  if (!differences.empty())
    throw UsageError(
        fmt::format("{}.start_from: {} holds a model of another shape", kSection, set.start_from),
        "set what the folder has: " + differences, Exit::kConfig);
}

at::Tensor tensor_of(const std::vector<std::int64_t>& values) {
  return at::tensor(at::ArrayRef<std::int64_t>(values), at::kLong);
}

}  // namespace

RankEncoder::RankEncoder(const RankEncoderOptions& options, data::GeneDictionary dictionary,
                         const data::Vocabulary* vocabulary, std::optional<std::uint64_t> seed,
                         at::ScalarType dtype)
    : dictionary_(std::move(dictionary)),
      network_(sized(options, dictionary_), seed, dtype),
      masking_(options.mask, dictionary_) {
  if (vocabulary)
    tokenizer_.emplace(vocabulary->genes, dictionary_, rank_options(), vocabulary->ranked);
}

std::vector<Group> RankEncoder::groups() {
  const auto& o = network_.options().optimiser;
  return {
      {kTerm, o.learning_rate, o.beta1, o.beta2, o.epsilon, o.clip_norm, network_.parameters()}};
}

void RankEncoder::start() {
  const auto& folder = network_.options().start_from;
  if (folder.empty()) return;
  check_shape(read_hugging_face_options(folder), network_.options());
  read_hugging_face_weights(folder, network_);
  log::info("starting from {}", folder);
}

data::RankOptions RankEncoder::rank_options() const {
  return {network_.options().max_length, network_.options().special_tokens};
}

data::Sequences RankEncoder::sequences(const data::Batch& batch) const {
  if (!tokenizer_) throw InternalError("this encoder was made without genes of data");
  const auto indptr = batch.indptr.cpu().contiguous();
  const auto indices = batch.indices.to(at::kCPU, at::kInt).contiguous();
  const auto values = batch.values.cpu().contiguous();
  data::Sequences sequences;
  tokenizer_->append(indptr.const_data_ptr<std::int64_t>(), indices.const_data_ptr<std::int32_t>(),
                     values.const_data_ptr<float>(), batch.size(), sequences);
  return sequences;
}

MaskedCells RankEncoder::masked(const data::Batch& batch, std::uint64_t seed,
                                std::int64_t epoch) const {
  return masking_(sequences(batch), batch.cells, seed, epoch);
}

at::Tensor RankEncoder::logits(const MaskedCells& cells, const RankDropoutOptions& dropout) const {
  const auto device = network_.head().bias.device();
  const auto tokens = at::tensor(at::ArrayRef<std::int32_t>(cells.shown.tokens), at::kInt);
  nn::ChosenRows chosen{tensor_of(cells.places).to(device), {0}};
  for (std::size_t i = 0, k = 0; i + 1 < cells.shown.offsets.size(); ++i) {
    while (k < cells.places.size() && cells.places[k] < cells.shown.offsets[i + 1]) ++k;
    chosen.offsets.push_back(static_cast<std::int64_t>(k));
  }
  const auto hidden = network_.trained(tokens.to(device), cells.shown.offsets, chosen,
                                       {dropout.hidden, dropout.attention, tensor_of(cells.keys)});
  const auto logits = nn::masked_logits(network_.head(), hidden, network_.form());
  return logits.to(at::promote_types(logits.scalar_type(), at::kFloat));
}

Losses RankEncoder::losses(const data::Batch& batch, const StepContext& context) {
  const auto cells = masked(batch, context.seed, batch.epoch);
  const auto device = network_.head().bias.device();
  auto count = at::full({1}, static_cast<double>(cells.places.size()),
                        at::TensorOptions(device).dtype(at::kDouble));
  context.sum_over_ranks(count);
  const double genes = std::max(1., count.item<double>());
  const auto sum = cells.places.empty()
                       ? 0 * network_.head().bias[0]
                       : nn::cross_entropy_sum(logits(cells, network_.options().dropout),
                                               tensor_of(cells.targets).to(device));
  Losses losses;
  losses.terms.push_back({kTerm, sum / genes, 1, kTerm});
  return losses;
}

std::unique_ptr<Evaluation> RankEncoder::evaluation() {
  return std::make_unique<RankEvaluation>(*this);
}

void RankEncoder::to(c10::Device device) { network_.to(device); }

void RankEncoder::freeze(at::ScalarType precision) {
  frozen_ = std::make_unique<FrozenEncoder>(network_, precision);
}

at::Tensor RankEncoder::encode(const data::Sequences& sequences, std::int64_t layer) {
  if (!frozen_) freeze(at::kFloat);
  return frozen_->packed(sequences, layer);
}

at::Tensor RankEncoder::encode_padded(const data::Sequences& sequences, std::int64_t layer,
                                      at::ScalarType precision) {
  if (!frozen_ || frozen_->precision() != precision) freeze(precision);
  return frozen_->padded(sequences, layer);
}

data::GeneDictionary rank_dictionary(const RankEncoderOptions& options,
                                     const data::Vocabulary& vocabulary, const std::string* text) {
  if (text) return data::parse_gene_dictionary(*text, options.dictionary);
  if (!options.dictionary.empty())
    return data::parse_gene_dictionary(io::read_text(options.dictionary), options.dictionary);
  data::GeneDictionary d;
  d.tokens = {"<pad>", "<mask>"};
  if (options.special_tokens) {
    d.cls = 2, d.eos = 3;
    d.tokens.insert(d.tokens.end(), {"<cls>", "<eos>"});
  }
  d.medians.assign(d.tokens.size(), 0);
  std::unordered_set<std::string> seen;
  for (const auto& gene : vocabulary.genes)
    if (seen.insert(gene).second) d.tokens.push_back(gene);
  d.medians.resize(d.tokens.size(), 1);
  return d;
}

data::GeneDictionary unnamed_dictionary(std::int64_t tokens) {
  data::GeneDictionary d;
  d.tokens.resize(static_cast<std::size_t>(tokens));
  d.medians.resize(static_cast<std::size_t>(tokens), 0);
  return d;
}

}  // namespace cellmill::models
