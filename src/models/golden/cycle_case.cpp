#include <ATen/ATen.h>

#include <algorithm>
#include <optional>

#include "data/device_feed.h"
#include "io/json.h"
#include "models/cycle_autoencoder.h"
#include "models/golden/golden_case.h"

namespace cellmill::models {
namespace {

using io::Json;

/// Two writers (the model's own reference, and the source repository's semantics) name settings,
/// parameters and losses differently.
class CycleCase final : public GoldenCase {
 public:
  CycleAutoencoderOptions options;
  data::Vocabulary vocabulary;
  bool original = false;  ///< the source repository's semantics

  void build() { model_.emplace(options, vocabulary, 0, dtype); }
  Model& model() override { return *model_; }
  Losses losses(int step, c10::Device device, const StepContext& context) override;
  void compare_outputs(const Compare& compare) override;
  std::map<std::string, std::string> loss_names() const override;
  std::map<std::string, std::string> moment_names() const override;
  std::string parameter_name(const std::string& ours) const override;
  GoldenTolerance tolerance() const override;

 private:
  bool plain() const { return options.compute == "plain"; }
  data::Batch batch(int step) const;
  void compare_contributions(std::size_t head, const std::string& name, const Compare& compare);

  std::optional<CycleAutoencoder> model_;
  CycleOutputs out_;
};

void add_field(data::Vocabulary& vocabulary, const std::string& name, std::int64_t categories) {
  data::Field field{name, {}};
  for (std::int64_t c = 0; c < categories; ++c) field.categories.push_back(std::to_string(c));
  vocabulary.fields.push_back(field);
}

void add_genes(data::Vocabulary& vocabulary, std::int64_t genes) {
  for (std::int64_t g = 0; g < genes; ++g) vocabulary.genes.push_back("g" + std::to_string(g));
}

void read_cycle(const Json& c, CycleCase& golden) {
  auto& o = golden.options;
  const std::string mode = c["mode"];
  if (c["pool_update"] != "lazy") golden.unsupported = "pool_update: dense is not offered";
  if (mode == "two_side_pools") golden.unsupported = "a second pool of networks is not offered";
  if (c["int_hidden"] != "content")
    golden.unsupported = "integration behind the networks is not offered";
  add_genes(golden.vocabulary, c["n_genes"]);
  for (const auto& [name, categories] : c["fields"].items()) {
    add_field(golden.vocabulary, name, categories);
  }
  o.latent = c["latent"];
  o.classifier_hidden = c["clf_hidden"].get<std::vector<std::int64_t>>();
  o.head.route = mode == "target_ffn" ? "target" : "source_and_target";
  o.head.ffn = c["ffn"];
  o.head.encoder_bias = c["enc_bias"];
  o.head.decoder_bias = c["dec_bias"];
  o.head.scale = c["scale"];
  o.loss.reconstruction = c["w_rec"];
  o.loss.integration = c["w_int"];
  o.loss.target = c["w_tgt"];
  o.loss.reconstruction_over = c["rec_reduction"];
  o.loss.integration_heads = c["int_heads"];
  o.loss.labels_over = c["ce_norm"] == "batch" ? "batch" : "known";
  o.optimiser.learning_rate = c["lr"];
  o.optimiser.classifier_learning_rate = c["lr_clf"];
  o.optimiser.beta1 = c["betas"][0];
  o.optimiser.beta2 = c["betas"][1];
  o.optimiser.epsilon = c["eps"];
}

void read_original(const Json& c, CycleCase& golden) {
  auto& o = golden.options;
  golden.original = true;
  add_genes(golden.vocabulary, c["genes"]);
  for (const auto& field : c["fields"]) add_field(golden.vocabulary, field[0], field[1]);
  o.latent = c["latent"];
  o.classifier_hidden = {c["classifier_hidden"].get<std::int64_t>()};
  o.head = {"source_and_target", "linear", false, false, false, c["scale"], "zero", {}};
  o.loss.reconstruction_over = "mean";
  o.loss.integration_over = "sum";
  o.loss.reconstruction = c["w_reconstruction"];
  o.loss.integration = c["w_integration"];
  o.loss.target = c["w_target"];
  o.non_negative = c["non_negative"];
  o.optimiser.learning_rate = c["lr"];
  o.optimiser.classifier_learning_rate = c["lr_classifier"];
  o.optimiser.base_weight_decay = c["wd_base"];
  o.optimiser.head_weight_decay = c["wd_metadata"];
  o.optimiser.clip_norm = c["clip"];
}

std::map<std::string, std::string> CycleCase::loss_names() const {
  if (original)
    return {{"reconstruction", "reconstruction"},
            {"integration", "integration"},
            {"target", "target"},
            {"classifier", "classifier"},
            {"generator", "generator"}};
  return {{"reconstruction", "rec"},
          {"integration", "int"},
          {"target", "tgt"},
          {"classifier", "clf"},
          {"generator", "gen"}};
}

std::map<std::string, std::string> CycleCase::moment_names() const {
  if (original) return {{"moment1", "m"}, {"moment2", "v"}, {"steps", "n"}};
  return {{"moment1", "adam_m"}, {"moment2", "adam_v"}, {"steps", "adam_step"}};
}

/// The factored form subtracts large terms: its float32 is allowed more.
GoldenTolerance CycleCase::tolerance() const {
  GoldenTolerance t;
  if (options.compute == "factored") t.single = 5e-5;
  t.learning_rate =
      std::max(options.optimiser.learning_rate, options.optimiser.classifier_learning_rate);
  return t;
}

Losses CycleCase::losses(int step, c10::Device device, const StepContext& context) {
  data::DeviceFeed feed(device);
  const auto targets = tensor("batch" + std::to_string(step) + "/target").to(device);
  out_ = model_->run(feed.move(batch(step)), targets, context, /*keep_contributions=*/plain());
  return out_.losses;
}

void CycleCase::compare_contributions(std::size_t head, const std::string& name,
                                      const Compare& compare) {
  const auto check = [&](const std::string& file, const at::Tensor& ours) {
    compare(file, ours, tensor(file));
  };
  const auto& first = out_.first.contributions[head];
  if (original) {
    check("out/contribution1/" + name, first);
    check("out/influence2/" + name, out_.second.contributions[head].norm(2, 1));
  } else {
    check("out/contrib1/" + name, first);
    check("out/head_norm1/" + name, first.norm(2, 1).mean());
  }
}

void CycleCase::compare_outputs(const Compare& compare) {
  const auto check = [&](const std::string& file, const at::Tensor& ours) {
    compare(file, ours, tensor(file));
  };
  if (plain()) {
    check("out/Xst", out_.first.output);
    check("out/Xsts", out_.second.output);
  }
  const auto heads = model_->heads();
  for (std::size_t h = 0; h < heads.size(); ++h) {
    check("out/hidden1/" + heads[h], out_.first.hidden[h]);
    check("out/hidden2/" + heads[h], out_.second.hidden[h]);
    if (plain()) compare_contributions(h, heads[h], compare);
    if (h == 0) continue;
    check("out/logits_target/" + heads[h], out_.target_logits[h - 1]);
    check("out/logits_real/" + heads[h], out_.real_logits[h - 1]);
  }
}

data::Batch CycleCase::batch(int step) const {
  const std::string at = "batch" + std::to_string(step) + "/";
  data::Batch batch;
  batch.indptr = tensors.at(at + "indptr");
  batch.indices = tensors.at(at + "indices");
  batch.values = tensors.at(at + "values");
  batch.labels = tensors.at(at + "source");
  batch.cells = at::arange(batch.labels.size(0), at::kLong);
  batch.genes = static_cast<std::int64_t>(vocabulary.genes.size());
  batch.global_cells = batch.labels.size(0);
  batch.step = step;
  return batch;
}

std::string CycleCase::parameter_name(const std::string& ours) const {
  const auto replace = [](std::string text, const std::string& from, const std::string& to) {
    const auto at = text.find(from);
    return at == std::string::npos ? text : text.replace(at, from.size(), to);
  };
  if (original) {
    if (ours.starts_with("ffn."))
      return replace(replace(ours, "ffn.", "pool."), "weight1", "weight");
    return replace(ours, "classifier.hidden.0.", "classifier.hidden.");
  }
  if (ours.starts_with("encoder.")) return replace(ours, "encoder.", "enc.");
  if (ours.starts_with("decoder.")) return replace(ours, "decoder.", "dec.");
  if (ours.starts_with("ffn.")) return replace(replace(ours, ".weight", ".w"), ".bias", ".b");
  if (ours.starts_with("classifier.hidden."))
    return replace(ours, "classifier.hidden.", "clf.trunk.");
  return replace(ours, "classifier.", "clf.head.");
}

}  // namespace

std::unique_ptr<GoldenCase> read_cycle_case(const io::Json& config,
                                            std::map<std::string, at::Tensor> tensors,
                                            const std::string& compute) {
  auto golden = std::make_unique<CycleCase>();
  config.contains("mode") ? read_cycle(config, *golden) : read_original(config, *golden);
  golden->options.compute = compute;
  golden->dtype = tensors.at("param0/base.weight").scalar_type();
  golden->tensors = std::move(tensors);
  if (golden->unsupported.empty()) golden->build();
  return golden;
}

}  // namespace cellmill::models
