#include "train/golden.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "base/format.h"
#include "comm/solo_communicator.h"
#include "models/golden/golden_case.h"
#include "train/step.h"

namespace cellmill::train {
namespace {

at::Tensor on_host(const at::Tensor& t) { return t.detach().cpu().to(at::kDouble); }

/// Largest relative difference seen, in units of what is allowed.
class Comparison {
 public:
  Comparison(at::ScalarType dtype, const models::GoldenTolerance& tolerance)
      : double_(dtype == at::kDouble), tolerance_(tolerance) {}

  /// |ours - expected| against the norm of `expected`, and so much more.
  void tensor(const std::string& name, const at::Tensor& ours, const at::Tensor& expected,
              double more = 0) {
    if (!same_shape(name, ours, expected)) return;
    const auto e = expected.to(at::kDouble);
    const double difference = (on_host(ours) - e).norm().item<double>();
    note(name, difference / (e.norm().item<double>() + more + tolerance_.floor), relative());
  }

  /// After `steps` of Adam (0: moments). `history`: a moment's size if nothing in it had cancelled,
  /// to which its float32 is relative; undefined: to its own.
  void stepped(const std::string& name, double steps, const at::Tensor& ours,
               const at::Tensor& expected, const at::Tensor& history = {}) {
    const bool cancels = history.defined() && !double_;
    if (!tolerance_.by_element)
      return tensor(name, ours, expected, cancels ? history.norm().item<double>() : 0);
    if (!same_shape(name, ours, expected) || ours.numel() == 0) return;
    const auto e = expected.to(at::kDouble);
    const auto allowed =
        relative() * e.abs() + (double_ ? 1e-12 : 5e-6 + 0.01 * steps * tolerance_.learning_rate);
    const auto ratio = (on_host(ours) - e).abs() / allowed;
    note(name, ratio.max().item<double>(), 1);
  }

  /// A loss or norm; from the second step on float32 has drifted by what the first steps rounded.
  void number(const std::string& name, int step, double ours, double expected) {
    const double allowed = double_ || step == 0 ? relative() : 1e-3;
    note(name, std::abs(ours - expected) / (std::abs(expected) + tolerance_.floor), allowed);
  }

  GoldenResult result() const {
    const auto text = fmt::format("worst {} at {:.2g} of what is allowed, {} comparisons",
                                  worst_name_, worst_, count_);
    return {worst_ <= 1 ? GoldenResult::Verdict::kPassed : GoldenResult::Verdict::kFailed, text};
  }

 private:
  double relative() const { return double_ ? tolerance_.wide : tolerance_.single; }
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
  models::GoldenTolerance tolerance_;
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

/// Of gradients like the first one; undefined for the count of steps, and after a single step.
at::Tensor history_of(const models::GoldenCase& golden, const std::string& moment, int steps,
                      const std::string& parameter) {
  if (steps == 1 || (moment != "adam_m" && moment != "adam_v")) return {};
  const auto gradient = golden.tensor("grad0/" + parameter).to(at::kDouble).abs();
  return moment == "adam_m" ? gradient : 0.002 * steps * gradient.square();
}

void compare_state(const models::GoldenCase& golden, int steps, Stepper& stepper,
                   models::Model& model, Comparison& compare) {
  const auto check = [&](const std::string& name, double stepped, const at::Tensor& ours,
                         const at::Tensor& history = {}) {
    const auto expected = golden.tensors.find(name);
    if (expected == golden.tensors.end()) return;
    compare.stepped(name, stepped, ours.view(expected->second.sizes()), expected->second, history);
  };
  const auto step = std::to_string(steps) + "/";
  for (const auto& [name, value] : named(model))
    check("param" + step + golden.parameter_name(name), steps, value);
  const auto moments = golden.moment_names();
  for (auto& optimiser : stepper.optimisers()) {
    for (const auto& [name, value] : optimiser.state()) {
      const auto slash = name.find('/');
      const auto moment = moments.at(name.substr(0, slash));
      const auto parameter = golden.parameter_name(name.substr(slash + 1));
      check(moment + step + parameter, 0, value, history_of(golden, moment, steps, parameter));
    }
  }
}

}  // namespace

GoldenResult run_golden(const std::string& path, const std::string& compute, c10::Device device) {
  at::set_num_threads(1);  // matrices of a few rows: threads only wait for each other
  const auto golden = models::read_golden(path, compute);
  if (!golden->unsupported.empty()) return {GoldenResult::Verdict::kSkipped, golden->unsupported};
  auto& model = golden->model();
  Comparison compare(golden->dtype, golden->tolerance());
  const auto compare_outputs = [&] {
    golden->compare_outputs(
        [&](const std::string& name, const at::Tensor& ours, const at::Tensor& expected) {
          compare.tensor(name, ours, expected);
        });
  };
  if (golden->steps() == 0) {
    model.to(device);
    compare_outputs();
    return compare.result();
  }
  for (auto& [name, value] : named(model)) {
    at::Tensor(value.detach()).copy_(golden->tensor("param0/" + golden->parameter_name(name)));
  }
  model.to(device);
  comm::SoloCommunicator alone;
  Stepper stepper(model, alone, 0, {});
  for (int step = 0; step < golden->steps(); ++step) {
    auto result = stepper.gradients(golden->losses(step, device, stepper.passes().context()), {});
    if (step == 0) {
      compare_outputs();
      for (const auto& [name, value] : named(model)) {
        compare.tensor("grad0/" + name, value.grad(),
                       golden->tensor("grad0/" + golden->parameter_name(name)));
      }
    }
    stepper.update(1, result);
    for (const auto& [ours, theirs] : golden->loss_names()) {
      compare.number("loss/" + theirs, step, result.losses.at(ours),
                     golden->tensor("loss/" + theirs)[step].item<double>());
    }
    if (golden->tensors.count("norm"))
      compare.number("norm", step, result.norms.at(model.groups().front().name),
                     golden->tensor("norm")[step].item<double>());
    if (step == 0 || step == 4) compare_state(*golden, step + 1, stepper, model, compare);
  }
  return compare.result();
}

}  // namespace cellmill::train
