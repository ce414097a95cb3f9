// A case of the rank encoder: a Hugging Face folder (config.json, model.safetensors) and beside
// them, in case.f32.safetensors and case.f64.safetensors, what its author's implementation makes of
// one padded batch: hidden states and, where they are there, logits, loss and gradients. No steps.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <optional>

#include "models/golden/golden_case.h"
#include "models/hugging_face.h"
#include "models/rank_encoder.h"
#include "nn/losses.h"

namespace cellmill::models {
namespace {

class RankCase final : public GoldenCase {
 public:
  void build(const std::filesystem::path& folder);
  Model& model() override { return *model_; }
  Losses losses(int step, c10::Device device, const StepContext& context) override;
  void compare_outputs(const Compare& compare) override;
  std::map<std::string, std::string> loss_names() const override {
    return {{RankEncoder::kTerm, RankEncoder::kTerm}};
  }
  std::map<std::string, std::string> moment_names() const override {
    return {{"moment1", "none"}, {"moment2", "none"}, {"steps", "none"}};
  }
  int steps() const override { return tensors.contains("grad.cls.predictions.bias") ? 1 : 0; }
  GoldenTolerance tolerance() const override { return {1e-9, 1e-5, /*by_element=*/false}; }

 private:
  /// Rows of the padded batch where a token is.
  at::Tensor real(const std::string& name) const {
    return tensor(name).flatten(0, 1).index_select(0, rows_);
  }
  std::optional<RankEncoder> model_;
  at::Tensor rows_;
  MaskedCells cells_;
};

/// Under our names: the three parts of attention as one.
at::Tensor joined(const std::map<std::string, at::Tensor>& tensors, const std::string& prefix,
                  const std::string& name) {
  const auto at = name.find(".qkv.");
  if (at == std::string::npos) return tensors.at(prefix + name);
  std::vector<at::Tensor> parts;
  for (const char* part : {"query", "key", "value"})
    parts.push_back(tensors.at(prefix + std::string(name).replace(at + 1, 3, part)));
  return at::cat(parts);
}

void RankCase::build(const std::filesystem::path& folder) {
  const auto options = read_hugging_face_options(folder);
  dtype = tensor("hidden.0").scalar_type();
  model_.emplace(options, unnamed_dictionary(options.vocabulary), nullptr, std::nullopt, dtype);
  read_hugging_face_weights(folder, model_->network());
  if (steps() > 0) {
    for (const auto& p : model_->network().parameters()) {
      tensors["param0/" + p.name] = p.value.detach().clone();
      tensors["grad0/" + p.name] = joined(tensors, "grad.", p.name);
    }
    tensors[std::string("loss/") + RankEncoder::kTerm] = tensor("loss");
  }
  rows_ = tensor("attention_mask").flatten().nonzero().flatten();
  const auto tokens = real("input_ids").to(at::kInt).contiguous();
  const auto labels = tensors.contains("labels") ? real("labels").contiguous()
                                                 : at::full({tokens.numel()}, -1, at::kLong);
  cells_.shown.tokens.assign(tokens.const_data_ptr<std::int32_t>(),
                             tokens.const_data_ptr<std::int32_t>() + tokens.numel());
  const auto lengths = tensor("attention_mask").sum(1);
  for (std::int64_t i = 0; i < lengths.size(0); ++i)
    cells_.shown.offsets.push_back(cells_.shown.offsets.back() + lengths[i].item<std::int64_t>());
  for (std::int64_t i = 0; i < labels.numel(); ++i) {
    const auto label = labels[i].item<std::int64_t>();
    if (label < 0) continue;
    cells_.places.push_back(i);
    cells_.targets.push_back(label);
  }
  cells_.keys.assign(cells_.shown.tokens.size(), 0);
}

Losses RankCase::losses(int, c10::Device device, const StepContext&) {
  const auto targets = at::tensor(at::ArrayRef<std::int64_t>(cells_.targets), at::kLong);
  const auto sum = nn::cross_entropy_sum(model_->logits(cells_, {0, 0}), targets.to(device));
  Losses losses;
  losses.terms.push_back({RankEncoder::kTerm, sum / static_cast<double>(cells_.targets.size()), 1,
                          RankEncoder::kTerm});
  return losses;
}

void RankCase::compare_outputs(const Compare& compare) {
  const at::NoGradGuard no_gradients;
  const auto& network = model_->network();
  const auto device = network.head().bias.device();
  const auto tokens = real("input_ids").to(device);
  at::Tensor last;
  for (std::int64_t k = 0; k <= model_->layers(); ++k) {
    const auto name = "hidden." + std::to_string(k);
    last = network.hidden(tokens, cells_.shown.offsets, k);
    compare(name, last, real(name));
    if (dtype != at::kFloat) continue;
    compare(name + " (frozen)", model_->encode(cells_.shown, k), real(name));
    compare(name + " (padded)", model_->encode_padded(cells_.shown, k, dtype), real(name));
  }
  if (tensors.contains("logits"))
    compare("logits", nn::masked_logits(network.head(), last, network.form()), real("logits"));
}

}  // namespace

std::unique_ptr<GoldenCase> read_rank_case(const std::filesystem::path& folder,
                                           std::map<std::string, at::Tensor> tensors) {
  auto golden = std::make_unique<RankCase>();
  golden->tensors = std::move(tensors);
  golden->build(folder);
  return golden;
}

}  // namespace cellmill::models
