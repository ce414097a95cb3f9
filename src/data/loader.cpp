#include "data/loader.h"

#include <memory>

#include "base/error.h"
#include "base/format.h"
#include "base/nearest.h"
#include "data/assembler.h"

namespace cellmill::data {

PlanOptions plan_options(const LoaderOptions& loader, std::int64_t global_batch,
                         std::uint64_t seed) {
  if (loader.order != "mixed" && loader.order != "chunk")
    throw UsageError(fmt::format("order is '{}'; expected mixed or chunk", loader.order),
                     did_you_mean(loader.order, {"mixed", "chunk"}), Exit::kConfig);
  const bool mixed = loader.order == "mixed";
  return {.global_batch = global_batch,
          .block_cells = mixed ? loader.block_cells : 0,
          .buffer_cells = mixed ? loader.buffer_cells : 0,
          .seed = seed};
}

struct Loader::State {
  State(const ChunkSource& source, const CellFilter* filter, const PlanOptions& plan_options,
        const LoaderOptions& options, Shard shard)
      : assembler(source, filter, plan_options, options, shard), plan(assembler.plan(0)) {
    assembler.start({});
  }
  Assembler assembler;
  std::shared_ptr<const Plan> plan;  // of the epoch of `position`
  Position position;
};

Loader::Loader(const ChunkSource& source, const CellFilter* filter, PlanOptions settings,
               LoaderOptions options, Shard shard) {
  const PlanOptions sizes = plan_options(options, settings.global_batch, settings.seed);
  settings.block_cells = sizes.block_cells;
  settings.buffer_cells = sizes.buffer_cells;
  state_ = std::make_unique<State>(source, filter, settings, options, shard);
}
Loader::~Loader() = default;
Loader::Loader(Loader&&) noexcept = default;

std::optional<Batch> Loader::next() {
  State& s = *state_;
  if (s.position.step == s.plan->steps()) {
    s.position = {s.position.epoch + 1, 0};
    s.plan = s.assembler.plan(s.position.epoch);
    return std::nullopt;
  }
  Batch batch = s.assembler.take();
  ++s.position.step;
  return batch;
}

Position Loader::position() const { return state_->position; }

void Loader::seek(Position position) {
  State& s = *state_;
  if (position == s.position) return;
  const auto plan = s.assembler.plan(position.epoch);
  if (position.step < 0 || position.step > plan->steps())
    throw DataError(
        {{},
         {},
         fmt::format("at most step {}", plan->steps()),
         fmt::format("step {}", position.step)},
        fmt::format("the position to go on from lies outside of epoch {}", position.epoch),
        "the data or the batch size differ from those of the saved run");
  s.assembler.start(position);
  s.plan = plan;
  s.position = position;
}

const Plan& Loader::plan() const { return *state_->plan; }

LoaderCounters Loader::counters() const { return state_->assembler.counters(); }

}  // namespace cellmill::data
