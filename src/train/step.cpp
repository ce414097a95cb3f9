#include "train/step.h"

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>

#include <cmath>

#include "base/error.h"
#include "base/huge_memory.h"
#include "base/stopwatch.h"

namespace cellmill::train {
namespace {

/// Matrix products in bfloat16 while it lives; parameters and sums stay float32.
class Autocast {
 public:
  Autocast(Precision precision, c10::DeviceType device)
      : on_(precision == Precision::kBfloat16), device_(device) {
    if (!on_) return;
    at::autocast::set_autocast_enabled(device_, true);
    at::autocast::set_autocast_dtype(device_, at::kBFloat16);
  }
  ~Autocast() {
    if (!on_) return;
    at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(device_, false);
  }

 private:
  bool on_;
  c10::DeviceType device_;
};

void require_finite(double value, const std::string& what) {
  if (std::isfinite(value)) return;
  throw Error(Exit::kInternal, what + " is not finite (" + std::to_string(value) + ")",
              "lower the learning rates or set optimiser.clip_norm; --resume goes on from the last "
              "checkpoint");
}

}  // namespace

Precision precision_of(const std::string& name) {
  return name == "tf32"       ? Precision::kTf32
         : name == "bfloat16" ? Precision::kBfloat16
                              : Precision::kFloat32;
}

Stepper::Stepper(models::Model& model, comm::Communicator& world, std::uint64_t seed,
                 StepOptions options)
    : model_(model), world_(world), seed_(seed), options_(options) {
  const auto memory = [&](std::int64_t count, const at::TensorOptions& options) {
    return world.zeros(count, options);
  };
  at::globalContext().setFloat32MatmulPrecision(options.precision == Precision::kTf32 ? "high"
                                                                                      : "highest");
  data::Shard shard;
  if (options.shard) shard = {world.rank(), world.size()};
  for (const auto& group : model.groups()) optimisers_.emplace_back(group, memory, shard);
  release_huge();  // parameters lie elsewhere now
  if (options.overlap && world.size() > 1)
    overlapped_ = std::make_unique<BucketedSum>(optimisers_, world, options.bucket_bytes);
}

models::StepContext Stepper::context() {
  return {seed_, [this](at::Tensor& tensor) { world_.all_reduce(tensor, comm::Op::kSum); },
          world_.rank(), world_.size(), steps_};
}

StepResult Stepper::step(const data::Batch& batch, double schedule, Votes votes) {
  Stopwatch watch;
  models::Losses losses;
  {
    const Autocast autocast(options_.precision, batch.values.device().type());
    losses = model_.losses(batch, context());
  }
  times_.forward += watch.lap();
  auto result = gradients(losses, votes);
  watch.lap();
  update(schedule, result);
  times_.optimise += watch.lap();
  return result;
}

StepResult Stepper::gradients(const models::Losses& losses, Votes votes) {
  Stopwatch watch;
  at::Tensor total;
  for (const auto& term : losses.terms) {
    if (term.weight == 0) continue;
    const auto weighted = term.weight * term.value;
    total = total.defined() ? total + weighted : weighted;
  }
  for (auto& optimiser : optimisers_) optimiser.zero_gradient();
  if (overlapped_) overlapped_->arm();
  if (total.defined()) total.backward();
  times_.backward += watch.lap();
  if (overlapped_) overlapped_->finish();

  // One small reduction carries the losses; the votes ride on it.
  auto values = at::empty({static_cast<std::int64_t>(losses.terms.size()) + 2}, at::kDouble);
  for (std::size_t k = 0; k < losses.terms.size(); ++k) {
    values[static_cast<std::int64_t>(k)] = losses.terms[k].value.item<double>();
  }
  values[-2] = votes.stop;
  values[-1] = votes.save;
  if (world_.size() > 1) {
    values = values.to(optimisers_.front().gradient().device());
    world_.all_reduce(values, comm::Op::kSum);
    values = values.cpu();
    for (auto& optimiser : optimisers_) {
      if (overlapped_) continue;
      if (options_.shard)
        world_.reduce_scatter(optimiser.gradient());
      else
        world_.all_reduce(optimiser.gradient(), comm::Op::kSum);
    }
  }
  touched_ = losses.touched;
  for (auto& mask : touched_) {
    auto shared = mask.to(optimisers_.front().gradient().device());
    if (world_.size() > 1) world_.all_reduce(shared, comm::Op::kMax);
    mask = shared.cpu();
  }
  times_.synchronise += watch.lap();

  StepResult result;
  result.votes = {values[-2].item<double>() > 0, values[-1].item<double>() > 0};
  for (std::size_t k = 0; k < losses.terms.size(); ++k) {
    const auto& term = losses.terms[k];
    const double value = values[static_cast<std::int64_t>(k)].item<double>();
    require_finite(value, "loss '" + term.name + "'");
    result.losses[term.name] = value;
    if (term.name != term.group) result.losses[term.group] += term.weight * value;
  }
  return result;
}

void Stepper::update(double schedule, StepResult& result) {
  const auto sum = [this](double x) {
    auto all = at::full({1}, x, optimisers_.front().gradient().options().dtype(at::kDouble));
    world_.all_reduce(all, comm::Op::kSum);
    return all.item<double>();
  };
  for (auto& optimiser : optimisers_) {
    const double norm = optimiser.clip(sum);
    result.norms[optimiser.name()] = norm;
    require_finite(norm, "gradient of group '" + optimiser.name() + "'");
  }
  for (auto& optimiser : optimisers_) {
    optimiser.step(schedule, touched_);
    if (options_.shard) world_.gather_shares(optimiser.value());
  }
  model_.after_step();
  ++steps_;
}

}  // namespace cellmill::train
