#include "train/golden.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "base/format.h"
#include "comm/solo_communicator.h"
#include "data/device_feed.h"
#include "models/cycle_autoencoder.h"
#include "train/golden_case.h"
#include "train/step.h"

namespace cellmill::train {
namespace {

at::Tensor on_host(const at::Tensor& t) { return t.detach().cpu().to(at::kDouble); }

/// Largest relative difference seen, in units of what is allowed.
class Comparison {
 public:
  /// The factored form subtracts large terms: its float32 is allowed more.
  Comparison(at::ScalarType dtype, bool factored)
      : double_(dtype == at::kDouble), single_(factored ? 5e-5 : 2e-5) {}

  /// |ours - expected| against the norm of `expected`.
  void tensor(const std::string& name, const at::Tensor& ours, const at::Tensor& expected) {
    if (!same_shape(name, ours, expected)) return;
    const auto e = expected.to(at::kDouble);
    const double difference = (on_host(ours) - e).norm().item<double>();
    note(name, difference / (e.norm().item<double>() + kFloor), double_ ? 1e-10 : single_);
  }

  /// After steps of Adam: by element. Where a gradient is near zero Adam's step is a ratio of
  /// rounding errors, so that float32 may differ by a part of `moved`, learning rate times steps
  /// (0: moments).
  void stepped(const std::string& name, double moved, const at::Tensor& ours,
               const at::Tensor& expected) {
    if (!same_shape(name, ours, expected) || ours.numel() == 0) return;
    const auto e = expected.to(at::kDouble);
    const auto allowed =
        double_ ? 1e-10 * e.abs() + 1e-12 : single_ * e.abs() + 5e-6 + 0.01 * moved;
    const auto ratio = (on_host(ours) - e).abs() / allowed;
    note(name, ratio.max().item<double>(), 1);
  }

  /// A loss or norm; from the second step on float32 has drifted by what the first steps rounded.
  void number(const std::string& name, int step, double ours, double expected) {
    const double allowed = double_ ? 1e-10 : step == 0 ? single_ : 1e-3;
    note(name, std::abs(ours - expected) / (std::abs(expected) + kFloor), allowed);
  }

  GoldenResult result() const {
    const auto text = fmt::format("worst {} at {:.2g} of what is allowed, {} comparisons",
                                  worst_name_, worst_, count_);
    return {worst_ <= 1 ? GoldenResult::Verdict::kPassed : GoldenResult::Verdict::kFailed, text};
  }

 private:
  static constexpr double kFloor = 1e-9;
  bool same_shape(const std::string& name, const at::Tensor& ours, const at::Tensor& expected) {
    if (ours.sizes() == expected.sizes()) return true;
    note(name + " (shape)", INFINITY, 1);
    return false;
  }
  void note(const std::string& name, double difference, double allowed) {
    ++count_;
    const double ratio = difference / allowed;
    if (ratio > worst_ || std::isnan(ratio))
      worst_ = std::isnan(ratio) ? INFINITY : ratio, worst_name_ = name;
  }
  bool double_;
  double single_;  ///< relative, float32
  double worst_ = 0;
  std::string worst_name_ = "nothing";
  int count_ = 0;
};

std::map<std::string, at::Tensor> named(models::Model& model) {
  std::map<std::string, at::Tensor> all;
  for (const auto& group : model.groups()) {
    for (const auto& p : group.parameters) all.emplace(p.name, p.value);
  }
  return all;
}

void compare_contributions(const GoldenCase& golden, const models::CycleOutputs& out, std::size_t h,
                           const std::string& head, Comparison& compare) {
  const auto& t = golden.tensors;
  const auto& first = out.first.contributions[h];
  const std::string name = (golden.original ? "out/contribution1/" : "out/contrib1/") + head;
  compare.tensor(name, first, t.at(name));
  if (golden.original) {
    compare.tensor("out/influence2/" + head, out.second.contributions[h].norm(2, 1),
                   t.at("out/influence2/" + head));
  } else {
    compare.tensor("out/head_norm1/" + head, first.norm(2, 1).mean(),
                   t.at("out/head_norm1/" + head));
  }
}

void compare_outputs(const GoldenCase& golden, const models::CycleOutputs& out,
                     const std::vector<std::string>& heads, Comparison& compare) {
  const auto& t = golden.tensors;
  const bool plain = !out.first.contributions.empty();
  if (plain) {
    compare.tensor("out/Xst", out.first.output, t.at("out/Xst"));
    compare.tensor("out/Xsts", out.second.output, t.at("out/Xsts"));
  }
  for (std::size_t h = 0; h < heads.size(); ++h) {
    compare.tensor("out/hidden1/" + heads[h], out.first.hidden[h], t.at("out/hidden1/" + heads[h]));
    compare.tensor("out/hidden2/" + heads[h], out.second.hidden[h],
                   t.at("out/hidden2/" + heads[h]));
    if (plain) compare_contributions(golden, out, h, heads[h], compare);
    if (h == 0) continue;
    compare.tensor("out/logits_target/" + heads[h], out.target_logits[h - 1],
                   t.at("out/logits_target/" + heads[h]));
    compare.tensor("out/logits_real/" + heads[h], out.real_logits[h - 1],
                   t.at("out/logits_real/" + heads[h]));
  }
}

void compare_state(const GoldenCase& golden, const std::string& step, Stepper& stepper,
                   models::Model& model, Comparison& compare) {
  const auto check = [&](const std::string& name, double moved, const at::Tensor& ours) {
    const auto expected = golden.tensors.find(name);
    if (expected != golden.tensors.end()) compare.stepped(name, moved, ours, expected->second);
  };
  const auto& o = golden.options.optimiser;
  const double moved = std::stod(step) * std::max(o.learning_rate, o.classifier_learning_rate);
  for (const auto& [name, value] : named(model)) {
    check("param" + step + "/" + golden.parameter_name(name), moved, value);
  }
  const std::map<std::string, std::string> moments =
      golden.original
          ? std::map<std::string, std::string>{{"moment1", "m"}, {"moment2", "v"}, {"steps", "n"}}
          : std::map<std::string, std::string>{
                {"moment1", "adam_m"}, {"moment2", "adam_v"}, {"steps", "adam_step"}};
  for (auto& optimiser : stepper.optimisers()) {
    for (const auto& [name, value] : optimiser.state()) {
      const auto slash = name.find('/');
      const auto file = moments.at(name.substr(0, slash)) + step + "/" +
                        golden.parameter_name(name.substr(slash + 1));
      const auto expected = golden.tensors.find(file);
      if (expected != golden.tensors.end()) check(file, 0, value.view(expected->second.sizes()));
    }
  }
}

}  // namespace

GoldenResult run_golden(const std::string& path, const std::string& compute, c10::Device device) {
  at::set_num_threads(1);  // matrices of a few rows: threads only wait for each other
  auto golden = read_golden(path);
  golden.options.compute = compute;
  const bool plain = compute == "plain", factored = compute == "factored";
  if (!golden.unsupported.empty()) return {GoldenResult::Verdict::kSkipped, golden.unsupported};
  models::CycleAutoencoder model(golden.options, golden.vocabulary, 0, golden.dtype);
  for (auto& [name, value] : named(model)) {
    at::Tensor(value.detach()).copy_(golden.tensors.at("param0/" + golden.parameter_name(name)));
  }
  model.to(device);
  data::DeviceFeed feed(device);
  comm::SoloCommunicator alone;
  Stepper stepper(model, alone, 0, {});
  Comparison compare(golden.dtype, factored);
  const auto& t = golden.tensors;
  const std::map<std::string, std::string> loss_names =
      golden.original ? std::map<std::string, std::string>{{"reconstruction", "reconstruction"},
                                                           {"integration", "integration"},
                                                           {"target", "target"},
                                                           {"classifier", "classifier"},
                                                           {"generator", "generator"}}
                      : std::map<std::string, std::string>{{"reconstruction", "rec"},
                                                           {"integration", "int"},
                                                           {"target", "tgt"},
                                                           {"classifier", "clf"},
                                                           {"generator", "gen"}};
  for (int step = 0; step < 5; ++step) {
    const auto batch = feed.move(golden.batch(step));
    const auto targets = t.at("batch" + std::to_string(step) + "/target").to(device);
    const auto out =
        model.run(batch, targets, stepper.passes().context(), /*keep_contributions=*/plain);
    auto result = stepper.gradients(out.losses, {});
    if (step == 0) {
      compare_outputs(golden, out, model.heads(), compare);
      for (const auto& [name, value] : named(model)) {
        compare.tensor("grad0/" + name, value.grad(), t.at("grad0/" + golden.parameter_name(name)));
      }
    }
    stepper.update(1, result);
    for (const auto& [ours, theirs] : loss_names) {
      compare.number("loss/" + theirs, step, result.losses.at(ours),
                     t.at("loss/" + theirs)[step].item<double>());
    }
    if (t.count("norm"))
      compare.number("norm", step, result.norms.at("generator"), t.at("norm")[step].item<double>());
    if (step == 0 || step == 4)
      compare_state(golden, std::to_string(step + 1), stepper, model, compare);
  }
  return compare.result();
}

}  // namespace cellmill::train
