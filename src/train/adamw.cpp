#include "train/adamw.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "train/adamw_kernel.h"

namespace cellmill::train {

AdamW::AdamW(const models::Group& group, const Memory& memory) : group_(group) {
  std::int64_t size = 0;
  for (const auto& p : group.parameters) size += p.value.numel();
  const auto options = group.parameters.front().value.options().requires_grad(false);
  value_ = at::empty({size}, options);
  gradient_ = memory ? memory(size, options) : at::zeros({size}, options);
  moment1_ = at::zeros({size}, options);
  moment2_ = at::zeros({size}, options);
  kernel_ = value_.is_cpu() && value_.scalar_type() == at::kFloat;
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
    slots_.push_back({p, part(gradient_), part(moment1_), part(moment2_),
                      at::zeros({contexts}, options.dtype(at::kFloat)), begin});
    begin += p.value.numel();
  }
}

std::vector<GradientBucket> AdamW::buckets(std::int64_t bytes) const {
  std::vector<GradientBucket> buckets(1);
  auto end = gradient_.numel();
  for (auto slot = slots_.rbegin(); slot != slots_.rend(); ++slot) {
    if (buckets.back().gradient.defined()) buckets.emplace_back();
    buckets.back().parameters.push_back(slot->parameter.value);
    if (slot->begin > 0 && (end - slot->begin) * gradient_.element_size() < bytes) continue;
    buckets.back().gradient = gradient_.slice(0, slot->begin, end);
    end = slot->begin;
  }
  return buckets;
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
  if (kernel_) {
    step_by_kernel(schedule, touched);
  } else {
    step_by_torch(schedule, touched);
  }
}

template <class F>
void AdamW::for_stepped(const std::vector<at::Tensor>& touched, const F& f) {
  for (auto& slot : slots_) {
    if (slot.parameter.touched < 0) {
      f(slot, 0);
      continue;
    }
    const auto& mask = touched[static_cast<std::size_t>(slot.parameter.touched)];
    const auto* used = mask.const_data_ptr<std::uint8_t>();
    for (std::int64_t c = 0; c < mask.size(0); ++c)
      if (used[c]) f(slot, c);
  }
}

void AdamW::step_by_kernel(double schedule, const std::vector<at::Tensor>& touched) {
  constexpr std::int64_t kPiece = 1 << 16;
  struct Piece {
    std::int64_t begin, count;
    AdamwFactors factors;
  };
  std::vector<Piece> pieces;
  const double rate = group_.learning_rate * schedule;
  for_stepped(touched, [&](Slot& slot, std::int64_t row) {
    const auto steps = ++slot.steps.mutable_data_ptr<float>()[row];
    const auto single = [](double x) { return static_cast<float>(x); };
    const AdamwFactors factors{.keep = single(1 - rate * slot.parameter.weight_decay),
                               .weight1 = single(1 - group_.beta1),
                               .weight2 = single(1 - group_.beta2),
                               .beta2 = single(group_.beta2),
                               .step = single(rate / (1 - std::pow(group_.beta1, steps))),
                               .correction2 = single(std::sqrt(1 - std::pow(group_.beta2, steps))),
                               .epsilon = single(group_.epsilon)};
    const auto count = slot.parameter.value.numel() / slot.steps.numel();
    for (std::int64_t at = 0; at < count; at += kPiece)
      pieces.push_back({slot.begin + row * count + at, std::min(kPiece, count - at), factors});
  });
  auto* value = value_.mutable_data_ptr<float>();
  const auto* gradient = gradient_.const_data_ptr<float>();
  auto* moment1 = moment1_.mutable_data_ptr<float>();
  auto* moment2 = moment2_.mutable_data_ptr<float>();
  at::parallel_for(0, static_cast<std::int64_t>(pieces.size()), 4,
                   [&](std::int64_t from, std::int64_t to) {
                     for (auto k = from; k < to; ++k) {
                       const auto& [begin, count, factors] = pieces[static_cast<std::size_t>(k)];
                       adamw_step(factors, count, value + begin, gradient + begin, moment1 + begin,
                                  moment2 + begin);
                     }
                   });
}

void AdamW::step_by_torch(double schedule, const std::vector<at::Tensor>& touched) {
  struct Lists {
    std::vector<at::Tensor> value, gradient, moment1, moment2, steps;
  };
  std::map<double, Lists> by_decay;
  for_stepped(touched, [&](Slot& slot, std::int64_t row) {
    auto& lists = by_decay[slot.parameter.weight_decay];
    const bool whole = slot.parameter.touched < 0;
    const auto part = [&](const at::Tensor& t) { return whole ? t : t[row]; };
    lists.value.push_back(part(slot.parameter.value.detach()));
    lists.gradient.push_back(part(slot.gradient));
    lists.moment1.push_back(part(slot.moment1));
    lists.moment2.push_back(part(slot.moment2));
    lists.steps.push_back(slot.steps[row]);
  });
  for (auto& [decay, lists] : by_decay) {
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
