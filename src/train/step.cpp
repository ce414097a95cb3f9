#include "train/step.h"

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>

#include <cmath>

#include "base/error.h"
#include "base/huge_memory.h"
#include "base/stopwatch.h"
#include "train/cell_order.h"

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
    : model_(model), world_(world), options_(options), passes_(world, seed, options.passes) {
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
  const auto leaves = options.passes.micro_shards;
  if (leaves > 0 && (options.overlap || options.shard))
    throw InternalError("micro-shards allow neither overlapped sums nor sharded moments");
  for (std::size_t k = 0; leaves > 0 && k <= optimisers_.size(); ++k)
    trees_.emplace_back(world, leaves);
}

StepResult Stepper::step(const data::Batch& batch, double schedule, Votes votes) {
  Stopwatch watch;
  const double before = times_.backward;
  begin();
  passes_.run(batch, [&](const data::Batch& piece, const models::StepContext& context,
                         Passes::Place place) {
    models::Losses losses;
    {
      const Autocast autocast(options_.precision, piece.values.device().type());
      losses = model_.losses(piece, context);
    }
    backward(losses, place.last());
  });
  times_.forward += watch.lap() - (times_.backward - before);
  auto result = synchronise(votes, digest_of_cells(batch));
  watch.lap();
  update(schedule, result);
  times_.optimise += watch.lap();
  return result;
}

StepResult Stepper::gradients(const models::Losses& losses, Votes votes) {
  begin();
  backward(losses, true);
  return synchronise(votes, 0);
}

void Stepper::begin() {
  for (auto& optimiser : optimisers_) optimiser.zero_gradient();
  losses_ = at::Tensor();
  touched_.clear();
}

void Stepper::backward(const models::Losses& losses, bool last) {
  Stopwatch watch;
  at::Tensor total;
  std::vector<at::Tensor> values;
  for (const auto& term : losses.terms) {
    values.push_back(term.value.detach().to(at::kDouble));
    if (term.weight == 0) continue;
    const auto weighted = term.weight * term.value;
    total = total.defined() ? total + weighted : weighted;
  }
  if (overlapped_ && last) overlapped_->arm();
  if (total.defined()) total.backward();

  const auto stacked = at::stack(values);
  if (!trees_.empty()) {
    for (std::size_t k = 0; k < optimisers_.size(); ++k) {
      trees_[k].add(optimisers_[k].gradient());
      if (!last) optimisers_[k].zero_gradient();
    }
    trees_.back().add(stacked);
  }
  losses_ = losses_.defined() ? losses_ + stacked : stacked;
  for (std::size_t k = 0; k < losses.touched.size(); ++k) {
    if (k == touched_.size())
      touched_.push_back(losses.touched[k]);
    else
      touched_[k] = at::maximum(touched_[k], losses.touched[k]);
  }
  terms_.clear();
  for (const auto& term : losses.terms) terms_.push_back({term.name, {}, term.weight, term.group});
  times_.backward += watch.lap();
}

void Stepper::sum_gradients() {
  for (std::size_t k = 0; k < optimisers_.size(); ++k) {
    auto& gradient = optimisers_[k].gradient();
    if (!trees_.empty())
      trees_[k].finish(gradient);
    else if (world_.size() == 1 || overlapped_)
      continue;
    else if (options_.shard)
      world_.reduce_scatter(gradient);
    else
      world_.all_reduce(gradient, comm::Op::kSum);
  }
}

StepResult Stepper::synchronise(Votes votes, std::uint64_t cells) {
  Stopwatch watch;
  if (overlapped_) overlapped_->finish();
  // One small reduction carries the losses; votes and digest ride on it. Halves of a digest add up
  // without rounding.
  const auto device = optimisers_.front().gradient().device();
  const auto terms = static_cast<std::int64_t>(terms_.size());
  auto values = at::cat({losses_.cpu(), at::tensor({votes.stop ? 1. : 0., votes.save ? 1. : 0.,
                                                    static_cast<double>(cells & 0xffffffff),
                                                    static_cast<double>(cells >> 32)},
                                                   at::kDouble)});
  if (world_.size() > 1) {
    values = values.to(device);
    world_.all_reduce(values, comm::Op::kSum);
    values = values.cpu();
  }
  if (!trees_.empty()) {
    auto losses = values.narrow(0, 0, terms);
    trees_.back().finish(losses);
  }
  sum_gradients();
  for (auto& mask : touched_) {
    auto shared = mask.to(device);
    if (world_.size() > 1) world_.all_reduce(shared, comm::Op::kMax);
    mask = shared.cpu();
  }
  times_.synchronise += watch.lap();

  const auto* value = values.const_data_ptr<double>();
  StepResult result;
  result.votes = {value[terms] > 0, value[terms + 1] > 0};
  result.cells = static_cast<std::uint64_t>(value[terms + 2]) +
                 (static_cast<std::uint64_t>(value[terms + 3]) << 32);
  for (std::int64_t k = 0; k < terms; ++k) {
    const auto& term = terms_[static_cast<std::size_t>(k)];
    require_finite(value[k], "loss '" + term.name + "'");
    result.losses[term.name] = value[k];
    if (term.name != term.group) result.losses[term.group] += term.weight * value[k];
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
  passes_.start_at(passes_.steps() + 1);
}

}  // namespace cellmill::train
