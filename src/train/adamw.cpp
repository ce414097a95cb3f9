#include "train/adamw.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <map>

namespace cellmill::train {

AdamW::AdamW(const models::Group& group) : group_(group) {
  std::int64_t size = 0;
  for (const auto& p : group.parameters) size += p.value.numel();
  const auto options = group.parameters.front().value.options().requires_grad(false);
  value_ = at::empty({size}, options);
  gradient_ = at::zeros({size}, options);
  const auto moment1 = at::zeros({size}, options), moment2 = at::zeros({size}, options);
  std::int64_t begin = 0;
  for (auto& p : group_.parameters) {
    const auto part = [&](const at::Tensor& flat) {
      return flat.slice(0, begin, begin + p.value.numel()).view(p.value.sizes());
    };
    auto value = part(value_);
    value.copy_(p.value.detach());
    p.value.set_data(value);
    p.value.mutable_grad() = part(gradient_);
    const auto contexts = p.touched < 0 ? 1 : p.value.size(0);
    slots_.push_back({p, part(gradient_), part(moment1), part(moment2),
                      at::zeros({contexts}, options.dtype(at::kFloat))});
    begin += p.value.numel();
  }
}

double AdamW::clip() {
  const double norm = gradient_.norm().item<double>();
  if (group_.clip_norm > 0 && norm + 1e-6 > group_.clip_norm) {
    gradient_.mul_(group_.clip_norm / (norm + 1e-6));
  }
  return norm;
}

void AdamW::step(double schedule, const std::vector<at::Tensor>& touched) {
  const at::NoGradGuard no_gradients;
  struct Lists {
    std::vector<at::Tensor> value, gradient, moment1, moment2, steps;
  };
  std::map<double, Lists> by_decay;
  for (auto& slot : slots_) {
    auto& lists = by_decay[slot.parameter.weight_decay];
    const auto add = [&](const at::Tensor& value, const at::Tensor& gradient,
                         const at::Tensor& moment1, const at::Tensor& moment2,
                         const at::Tensor& steps) {
      lists.value.push_back(value);
      lists.gradient.push_back(gradient);
      lists.moment1.push_back(moment1);
      lists.moment2.push_back(moment2);
      lists.steps.push_back(steps);
    };
    const auto value = slot.parameter.value.detach();
    if (slot.parameter.touched < 0) {
      add(value, slot.gradient, slot.moment1, slot.moment2, slot.steps[0]);
      continue;
    }
    const auto& mask = touched[static_cast<std::size_t>(slot.parameter.touched)];
    const auto* used = mask.const_data_ptr<std::uint8_t>();
    for (std::int64_t c = 0; c < mask.size(0); ++c) {
      if (used[c]) {
        add(value[c], slot.gradient[c], slot.moment1[c], slot.moment2[c], slot.steps[c]);
      }
    }
  }
  for (auto& [decay, lists] : by_decay) {
    if (lists.value.empty()) continue;
    at::_foreach_add_(lists.steps, 1);
    at::_fused_adamw_(lists.value, lists.gradient, lists.moment1, lists.moment2, {}, lists.steps,
                      group_.learning_rate * schedule, group_.beta1, group_.beta2, decay,
                      group_.epsilon, /*amsgrad=*/false, /*maximize=*/false);
  }
}

std::vector<std::pair<std::string, at::Tensor>> AdamW::state() const {
  std::vector<std::pair<std::string, at::Tensor>> named;
  for (const auto& slot : slots_) {
    named.emplace_back("moment1/" + slot.parameter.name, slot.moment1);
    named.emplace_back("moment2/" + slot.parameter.name, slot.moment2);
    named.emplace_back("steps/" + slot.parameter.name, slot.steps);
  }
  return named;
}

}  // namespace cellmill::train
