#include <ATen/ATen.h>

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/format.h"
#include "models/factor_model.h"
#include "models/golden/golden_case.h"

namespace cellmill::models {
namespace {

using io::Json;

class FactorCase final : public GoldenCase {
 public:
  FactorOptions options;
  FactorShape shape;
  double float32_differs = 0;

  void build();
  Model& model() override { return *model_; }
  Losses losses(int step, c10::Device device, const StepContext& context) override;
  void compare_outputs(const Compare& compare) override;
  std::map<std::string, std::string> loss_names() const override;
  std::map<std::string, std::string> moment_names() const override {
    return {{"moment1", "adam_m"}, {"moment2", "adam_v"}, {"steps", "adam_step"}};
  }
  GoldenTolerance tolerance() const override {
    return {1e-9, std::max(1e-5, 10 * float32_differs), /*by_element=*/false, 0, /*floor=*/1e-6};
  }

 private:
  FactorInput input(int step, c10::Device device) const;
  FactorNoise noise(int step, c10::Device device) const;

  std::optional<FactorModel> model_;
  FactorInput input_;
  FactorOutputs out_;
};

void FactorCase::build() {
  model_.emplace(options, shape, 0, dtype);
  model_->network().gene_mean.copy_(tensor("const/gene_mean"));
  model_->network().gene_variance.copy_(tensor("const/gene_var"));
}

/// Rows of a matrix as cells come.
nn::Csr sparse(const at::Tensor& dense) {
  const auto places = dense.nonzero();
  auto indptr = at::zeros({dense.size(0) + 1}, at::kLong);
  indptr.slice(0, 1).copy_((dense != 0).sum(1).cumsum(0));
  return {indptr, places.select(1, 1).contiguous(), dense.masked_select(dense != 0), dense.size(1)};
}

FactorInput FactorCase::input(int step, c10::Device device) const {
  const std::string at = "batch" + std::to_string(step) + "/";
  const auto moved = [&](const std::string& name) { return tensor(at + name).to(device); };
  FactorInput input;
  input.counts = sparse(tensor(at + "counts"));
  for (auto* part : {&input.counts.indptr, &input.counts.indices, &input.counts.values})
    *part = part->to(device);
  input.total = moved("total");
  for (const auto& field : shape.fields) {
    input.metadata.push_back(moved("meta." + field.name));
    if (tensors.count(at + "keep." + field.name))
      input.keep[field.name] = moved("keep." + field.name);
  }
  if (tensors.count(at + "target")) {
    input.targets = moved("target");
    input.kinds = moved("target_kind");
  }
  return input;
}

FactorNoise FactorCase::noise(int step, c10::Device device) const {
  const std::string at = "noise" + std::to_string(step) + "/", mask = at + "mask.";
  FactorNoise noise;
  noise.eps = tensor(at + "eps").to(device);
  for (const auto& [name, value] : tensors)
    if (name.starts_with(mask)) noise.masks[name.substr(mask.size())] = value.to(device);
  if (tensors.count(at + "eps_prior")) noise.eps_prior = tensor(at + "eps_prior").to(device);
  return noise;
}

Losses FactorCase::losses(int step, c10::Device device, const StepContext& context) {
  input_ = input(step, device);
  out_ = model_->run(input_, noise(step, device), static_cast<double>(input_.size()), context.step);
  return out_.losses;
}

void FactorCase::compare_outputs(const Compare& compare) {
  const auto check = [&](const std::string& file, const at::Tensor& ours) {
    compare(file, ours, tensor(file));
  };
  for (std::size_t g = 0; g < kFactorGroups; ++g) {
    if (shape.widths[g] == 0) continue;
    const std::string group = kFactorGroupNames[g];
    for (const auto& [name, from] :
         {std::pair{"q", out_.posterior[g]}, std::pair{"prior", out_.prior[g]}}) {
      const auto place = std::string("out/") + name + "." + group;
      check(place + ".mean", from.mean);
      check(place + ".logvar", from.log_variance);
    }
  }
  check("out/decoded", out_.decoded);
  check("out/nll", out_.nll);
  const auto probabilities = model_->probabilities(input_);
  for (std::size_t f = 0; f < shape.fields.size(); ++f)
    if (probabilities[f].defined()) check("out/prob." + shape.fields[f].name, probabilities[f]);
  check("out/generated", model_->generate(input_, {}));
  check("out/generated_from_reference", model_->generate(input_, {}, &input_));
}

std::map<std::string, std::string> FactorCase::loss_names() const {
  std::map<std::string, std::string> names = {{"reconstruction", "rec"}, {"factor", "total"}};
  for (const auto& [name, value] : tensors) {
    const auto ours = [&](const std::string& file, const std::string& kind) {
      if (!name.starts_with("loss/" + file)) return;
      auto rest = name.substr(5 + file.size());
      std::replace(rest.begin(), rest.end(), '.', '/');
      names[kind + rest] = name.substr(5);
    };
    if (name == "loss/rec_prior") names["prior_reconstruction"] = "rec_prior";
    ours("kl.", "kl/");
    ours("ce.", "label/");
    ours("adv.", "adversary/");
  }
  return names;
}

void read_fields(const Json& config, FactorCase& golden) {
  for (const auto& f : config["fields"]) {
    FactorField field;
    field.name = f["name"];
    const std::string group = f["group"];
    field.group = static_cast<std::size_t>(
        std::find(kFactorGroupNames.begin(), kFactorGroupNames.end(), group) -
        kFactorGroupNames.begin());
    if (f["kind"] == "number") field.kind = FactorField::Kind::kNumber;
    field.classified = f["classify"];
    for (int k = 0; k < f["size"].get<int>(); ++k) field.words.push_back(std::to_string(k));
    if (f["embed"] != 0) field.embedding = golden.tensor("const/embedding." + field.name);
    golden.shape.fields.push_back(field);
  }
  for (std::size_t g = 0; g < kFactorGroups; ++g)
    golden.shape.widths[g] = config["dims"].value(kFactorGroupNames[g], std::int64_t{0});
  golden.shape.genes = config["n_genes"];
  golden.shape.corrections = config["n_correction"];
}

void read_options(const Json& c, FactorOptions& o) {
  o.modality = c["scale"] == 1e6 ? "bulk" : "single_cell";
  o.likelihood = c["likelihood"];
  o.variance_floor = c["std_eps"];
  o.network.hidden = c["hidden"];
  o.network.blocks = c["blocks"];
  o.network.expand = c["expand"];
  o.network.prior_hidden = c["prior_hidden"];
  o.network.prior_blocks = c["prior_blocks"];
  o.network.activation = c["act"];
  o.network.adversary_hidden = c["adv_hidden"];
  o.loss.reconstruction = c["w_rec"];
  o.loss.prior_reconstruction = c["w_prior"];
  o.loss.kl = c["beta"];
  o.loss.kl_steps = c["anneal_steps"];
  o.loss.labels = c["w_ce_default"];
  for (const auto& [field, weight] : c["w_ce"].items())
    o.loss.each[field] = fmt::format("{}", weight.get<double>());
  o.loss.adversary = c["w_adv"];
  o.loss.read = c["clf_input"];
  o.optimiser.learning_rate = c["lr"];
  o.optimiser.weight_decay = c["weight_decay"];
  o.optimiser.beta1 = c["betas"][0];
  o.optimiser.beta2 = c["betas"][1];
  o.optimiser.epsilon = c["eps"];
  o.optimiser.clip_norm = c["clip_norm"];
}

}  // namespace

std::unique_ptr<GoldenCase> read_factor_case(const io::Json& config,
                                             std::map<std::string, at::Tensor> tensors,
                                             double float32_differs) {
  auto golden = std::make_unique<FactorCase>();
  golden->tensors = std::move(tensors);
  golden->dtype = golden->tensor("param0/enc.in.weight").scalar_type();
  golden->float32_differs = float32_differs;
  read_options(config, golden->options);
  read_fields(config, *golden);
  if (config["scale"] != golden->options.scale() || config["ln_eps"] != 1e-5 ||
      config["logvar_min"] != -8. || config["logvar_max"] != 8.)
    golden->unsupported = "scale, ln_eps, logvar_min and logvar_max are not settings";
  golden->build();
  return golden;
}

}  // namespace cellmill::models
