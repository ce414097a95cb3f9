#include "data/loader.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/format.h"
#include "base/nearest.h"
#include "data/chunk_cache.h"

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
  State(const ChunkSource& source, const CellFilter* filter, PlanOptions plan, LoaderOptions loader,
        Shard shard)
      : source(source),
        filter(filter),
        options(std::move(loader)),
        shard(shard),
        fields(static_cast<std::int64_t>(source.vocabulary().fields.size())),
        genes(static_cast<std::int64_t>(source.vocabulary().genes.size())),
        held(source.index().size()),
        cache(source, options.memory_mb << 20, options.threads) {
    const PlanOptions sizes = plan_options(options, plan.global_batch, plan.seed);
    plan_settings = plan;
    plan_settings.block_cells = sizes.block_cells;
    plan_settings.buffer_cells = sizes.buffer_cells;
    begin_epoch(0);
    prefetch();
  }

  void begin_epoch(std::int64_t epoch) {
    if (following && following->epoch() == epoch)
      plan = std::move(*following);
    else
      plan = make_plan(source.index(), filter, epoch, plan_settings);
    following.reset();
    window = buffer = -1;
    step = 0;
  }

  /// Tells the cache what the buffer needs now, and which chunks come after it.
  void move_window(std::int64_t to) {
    if (window == to) return;
    window = to;
    for (std::int32_t id : held_ids) retired.push_back(std::move(held[id]));
    held_ids.clear();
    auto now = plan.buffer_chunks(to);
    std::vector<bool> seen(held.size());
    for (std::int32_t id : now) seen[id] = true;
    std::vector<std::int32_t> ahead;
    const auto enough = [&](std::int64_t buffers) {
      return buffers > 0 && static_cast<std::int64_t>(ahead.size()) >= options.prefetch_chunks;
    };
    const auto add = [&](const Plan& from, std::int64_t b) {
      for (std::int32_t id : from.buffer_chunks(b))
        if (!seen[id]) {
          seen[id] = true;
          ahead.push_back(id);
        }
    };
    std::int64_t added = 0;
    for (std::int64_t b = to + 1; b < plan.buffers() && !enough(added); ++b, ++added) add(plan, b);
    if (!enough(added)) {
      if (!following)
        following = make_plan(source.index(), filter, plan.epoch() + 1, plan_settings);
      for (std::int64_t b = 0; b < following->buffers() && !enough(added); ++b, ++added)
        add(*following, b);
    }
    cache.want(std::move(now), std::move(ahead));
  }

  void prefetch() {
    if (step == plan.steps()) return;
    const auto share = plan.share(step, shard);
    if (share.begin < plan.cells()) move_window(plan.buffer_of(share.begin));
    retired.clear();
  }

  const Chunk& chunk(std::int32_t id) {
    if (!held[id]) {
      held[id] = cache.get(id);
      held_ids.push_back(id);
    }
    return *held[id];
  }

  /// Fills `rows` with where the cells of places [begin, end) lie. The chunks stay alive until
  /// `retired` is cleared and the window moves.
  void collect(Plan::Range share) {
    rows.clear();
    for (std::int64_t place = share.begin; place < share.end;) {
      const std::int64_t at = plan.buffer_of(place);
      move_window(at);
      if (buffer != at) {
        cells = plan.buffer_cells(at);
        buffer = at;
      }
      const auto range = plan.buffer_range(at);
      const std::int64_t stop = std::min(range.end, share.end);
      for (; place < stop; ++place) {
        const CellRef cell = cells[place - range.begin];
        rows.push_back({&chunk(cell.chunk), cell});
      }
    }
  }

  Batch gather() const {
    const auto size = static_cast<std::int64_t>(rows.size());
    std::int64_t entries = 0;
    for (const Row& row : rows)
      entries += row.chunk->indptr[row.cell.row + 1] - row.chunk->indptr[row.cell.row];
    Batch batch{.indptr = at::empty({size + 1}, at::kLong),
                .indices = at::empty({entries}, at::kLong),
                .values = at::empty({entries}, at::kFloat),
                .labels = at::empty({size, fields}, at::kLong),
                .cells = at::empty({size}, at::kLong),
                .genes = genes,
                .global_cells = plan.step_cells(step),
                .epoch = plan.epoch(),
                .step = step};
    auto* indptr = batch.indptr.mutable_data_ptr<std::int64_t>();
    auto* indices = batch.indices.mutable_data_ptr<std::int64_t>();
    auto* values = batch.values.mutable_data_ptr<float>();
    auto* labels = batch.labels.mutable_data_ptr<std::int64_t>();
    auto* numbers = batch.cells.mutable_data_ptr<std::int64_t>();
    *indptr = 0;
    for (const auto& [from, cell] : rows) {
      const std::int64_t begin = from->indptr[cell.row], end = from->indptr[cell.row + 1];
      indices = std::copy(from->indices.begin() + begin, from->indices.begin() + end, indices);
      values = std::copy(from->values.begin() + begin, from->values.begin() + end, values);
      const auto first = from->labels.begin() + cell.row * fields;
      labels = std::copy(first, first + fields, labels);
      indptr[1] = *indptr + end - begin;
      ++indptr;
      *numbers++ = plan.cell_number(cell);
    }
    return batch;
  }

  struct Row {
    const Chunk* chunk;
    CellRef cell;
  };
  const ChunkSource& source;
  const CellFilter* filter;
  LoaderOptions options;
  PlanOptions plan_settings;
  Shard shard;
  std::int64_t fields, genes;
  Plan plan;
  std::optional<Plan> following;  // of the next epoch, once prefetching reaches it
  std::int64_t step = 0;
  std::int64_t window = -1;  // buffer whose chunks the cache holds for us
  std::int64_t buffer = -1;  // buffer of `cells`
  std::vector<CellRef> cells;
  std::vector<Row> rows;                           // of the batch being made
  std::vector<std::shared_ptr<const Chunk>> held;  // by chunk: of the window
  std::vector<std::int32_t> held_ids;
  std::vector<std::shared_ptr<const Chunk>> retired;  // of windows left during the batch
  ChunkCache cache;
};

Loader::Loader(const ChunkSource& source, const CellFilter* filter, PlanOptions plan_options,
               LoaderOptions options, Shard shard)
    : state_(std::make_unique<State>(source, filter, plan_options, std::move(options), shard)) {}
Loader::~Loader() = default;
Loader::Loader(Loader&&) noexcept = default;

std::optional<Batch> Loader::next() {
  State& s = *state_;
  if (s.step == s.plan.steps()) {
    s.begin_epoch(s.plan.epoch() + 1);
    s.prefetch();
    return std::nullopt;
  }
  s.collect(s.plan.share(s.step, s.shard));
  Batch batch = s.gather();
  s.retired.clear();
  ++s.step;
  return batch;
}

Position Loader::position() const { return {state_->plan.epoch(), state_->step}; }

void Loader::seek(Position position) {
  State& s = *state_;
  if (position.epoch != s.plan.epoch()) s.begin_epoch(position.epoch);
  if (position.step < 0 || position.step > s.plan.steps())
    throw DataError(
        {{},
         {},
         fmt::format("at most step {}", s.plan.steps()),
         fmt::format("step {}", position.step)},
        fmt::format("the position to go on from lies outside of epoch {}", position.epoch),
        "the data or the batch size differ from those of the saved run");
  s.step = position.step;
  s.prefetch();
}

const Plan& Loader::plan() const { return state_->plan; }

LoaderCounters Loader::counters() const {
  const CacheCounters counters = state_->cache.counters();
  return {counters.chunks_loaded, counters.bytes_loaded, counters.wait_seconds};
}

}  // namespace cellmill::data
