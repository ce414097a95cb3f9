#include "train/adamw.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "train/adamw_kernel.h"

namespace cellmill::train {

AdamW::AdamW(const models::Group& group, const Memory& memory, data::Shard shard)
    : group_(group), shard_(shard) {
  std::int64_t size = 0;
  for (const auto& p : group.parameters) size += p.value.numel();
  const auto unit = 16 * shard.count;  // a cache line has one writer
  if (shard.count > 1) size = (size + unit - 1) / unit * unit;
  share_ = {size / shard.count * shard.index, size / shard.count};
  const auto options = group.parameters.front().value.options().requires_grad(false);
  const auto flat = [&] { return memory ? memory(size, options) : at::zeros({size}, options); };
  value_ = shard.count > 1 ? flat() : at::empty({size}, options);
  gradient_ = flat();
  moment1_ = at::zeros({share_.count}, options);
  moment2_ = at::zeros({share_.count}, options);
  kernel_ = value_.is_cpu() && value_.scalar_type() == at::kFloat;
  std::int64_t begin = 0;
  for (auto& p : group_.parameters) {
    const auto contexts = p.touched < 0 ? 1 : p.value.size(0);
    slots_.push_back({p, at::zeros({contexts}, options.dtype(at::kFloat)), begin});
    const auto value = part(value_, slots_.back());
    value.copy_(p.value.detach());
    p.value.set_data(value);
    p.value.mutable_grad() = part(gradient_, slots_.back());
    begin += p.value.numel();
  }
}

at::Tensor AdamW::part(const at::Tensor& flat, const Slot& slot) {
  const auto& p = slot.parameter.value;
  return flat.slice(0, slot.begin, slot.begin + p.numel()).view(p.sizes());
}

AdamW::Run AdamW::own(const Slot& slot, std::int64_t row) const {
  const auto count = slot.parameter.value.numel() / slot.steps.numel();
  const auto begin = std::max(slot.begin + row * count, share_.begin);
  const auto end = std::min(slot.begin + (row + 1) * count, share_.begin + share_.count);
  return {begin, std::max<std::int64_t>(end - begin, 0)};
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

double AdamW::clip(const std::function<double(double)>& sum) {
  auto own = gradient_.narrow(0, share_.begin, share_.count);
  double norm = own.norm().item<double>();
  if (shard_.count > 1) norm = std::sqrt(sum(norm * norm));
  if (group_.clip_norm > 0 && norm + 1e-6 > group_.clip_norm)
    own.mul_(group_.clip_norm / (norm + 1e-6));
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
    Run run;
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
    const auto [begin, count] = own(slot, row);
    for (std::int64_t at = 0; at < count; at += kPiece)
      pieces.push_back({{begin + at, std::min(kPiece, count - at)}, factors});
  });
  auto* value = value_.mutable_data_ptr<float>();
  const auto* gradient = gradient_.const_data_ptr<float>();
  auto* moment1 = moment1_.mutable_data_ptr<float>();
  auto* moment2 = moment2_.mutable_data_ptr<float>();
  at::parallel_for(0, static_cast<std::int64_t>(pieces.size()), 4,
                   [&](std::int64_t from, std::int64_t to) {
                     for (auto k = from; k < to; ++k) {
                       const auto& [run, factors] = pieces[static_cast<std::size_t>(k)];
                       const auto own = run.begin - share_.begin;
                       adamw_step(factors, run.count, value + run.begin, gradient + run.begin,
                                  moment1 + own, moment2 + own);
                     }
                   });
}

void AdamW::step_by_torch(double schedule, const std::vector<at::Tensor>& touched) {
  struct Lists {
    std::vector<at::Tensor> value, gradient, moment1, moment2, steps;
  };
  std::map<double, Lists> by_decay;
  std::vector<at::Tensor> steps;
  for_stepped(touched, [&](Slot& slot, std::int64_t row) {
    steps.push_back(slot.steps[row]);
    const auto [begin, count] = own(slot, row);
    if (count == 0) return;
    auto& lists = by_decay[slot.parameter.weight_decay];
    lists.value.push_back(value_.narrow(0, begin, count));
    lists.gradient.push_back(gradient_.narrow(0, begin, count));
    lists.moment1.push_back(moment1_.narrow(0, begin - share_.begin, count));
    lists.moment2.push_back(moment2_.narrow(0, begin - share_.begin, count));
    lists.steps.push_back(steps.back());
  });
  if (!steps.empty()) at::_foreach_add_(steps, 1);
  for (auto& [decay, lists] : by_decay) {
    at::_fused_adamw_(lists.value, lists.gradient, lists.moment1, lists.moment2, {}, lists.steps,
                      group_.learning_rate * schedule, group_.beta1, group_.beta2, decay,
                      group_.epsilon, /*amsgrad=*/false, /*maximize=*/false);
  }
}

std::vector<std::pair<std::string, at::Tensor>> AdamW::state() const {
  const bool sharded = shard_.count > 1;
  std::vector<std::pair<std::string, at::Tensor>> named;
  for (const auto& slot : slots_) {
    const auto& name = slot.parameter.name;
    named.emplace_back("moment1/" + name, part(sharded ? whole_moment1_ : moment1_, slot));
    named.emplace_back("moment2/" + name, part(sharded ? whole_moment2_ : moment2_, slot));
    named.emplace_back("steps/" + name, slot.steps);
  }
  return named;
}

std::vector<std::pair<std::string, at::Tensor>> AdamW::replica() const {
  std::vector<std::pair<std::string, at::Tensor>> named;
  for (const auto& slot : slots_) {
    const auto& name = slot.parameter.name;
    named.emplace_back(name, part(value_, slot));
    if (shard_.count == 1) {
      named.emplace_back("moment1 of " + name, part(moment1_, slot));
      named.emplace_back("moment2 of " + name, part(moment2_, slot));
    }
    named.emplace_back("steps of " + name, slot.steps);
  }
  return named;
}

void AdamW::gather_moments(comm::Communicator& host, int root) {
  if (shard_.count == 1) return;
  const auto moment1 = host.gather(moment1_.cpu(), root);
  const auto moment2 = host.gather(moment2_.cpu(), root);
  if (host.rank() == root) whole_moment1_ = moment1, whole_moment2_ = moment2;
}

void AdamW::make_moments() {
  if (shard_.count == 1) return;
  whole_moment1_ = at::empty(value_.sizes(), moment1_.options().device(at::kCPU));
  whole_moment2_ = at::empty_like(whole_moment1_);
}

void AdamW::keep_moments() {
  if (shard_.count == 1) return;
  moment1_.copy_(whole_moment1_.narrow(0, share_.begin, share_.count));
  moment2_.copy_(whole_moment2_.narrow(0, share_.begin, share_.count));
  drop_moments();
}

void AdamW::drop_moments() { whole_moment1_ = whole_moment2_ = at::Tensor(); }

}  // namespace cellmill::train
