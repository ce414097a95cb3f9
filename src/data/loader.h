#pragma once
// The two-level loader of the seed: background threads keep chunks ready ahead of the plan within a
// budget of bytes; minibatches of the plan are gathered from them as CSR. Order depends on the plan
// alone. Errors of the threads are rethrown by `next`. One thread may use a Loader; the source must
// outlive it.
#include <memory>
#include <optional>
#include <string>

#include "data/batch.h"
#include "data/chunk_source.h"
#include "data/plan.h"

namespace cellmill::config {
class Schema;
}

namespace cellmill::data {

struct LoaderOptions {
  std::int64_t prefetch_chunks = 2;   ///< at least so many chunks, and one buffer, decoded ahead
  std::int64_t threads = 1;           ///< background threads
  std::int64_t memory_mb = 2048;      ///< chunks kept, ready ones included; one buffer's always are
  std::int64_t block_cells = 256;     ///< 0: whole chunks
  std::int64_t buffer_cells = 65536;  ///< cells mixed together
  std::string order = "mixed";        ///< mixed | chunk (the seed's: one chunk at a time)
};
void describe(config::Schema& schema, LoaderOptions& options);

/// Where a loader stands: the next batch to come. After the last batch of an epoch, `step` is the
/// number of steps.
struct Position {
  std::int64_t epoch = 0;
  std::int64_t step = 0;
  bool operator==(const Position&) const = default;
};

/// What the loader did so far, for progress lines and benchmarks.
struct LoaderCounters {
  std::int64_t chunks_loaded = 0;
  std::int64_t bytes_loaded = 0;
  double wait_seconds = 0;  ///< time `next` waited for the threads
};

class Loader {
 public:
  /// `plan_options.block_cells`, `.buffer_cells` are overwritten from `options`. `filter` as in
  /// make_plan; must outlive the loader. Loading begins at once.
  Loader(const ChunkSource& source, const CellFilter* filter, PlanOptions plan_options,
         LoaderOptions options, Shard shard);
  ~Loader();
  Loader(Loader&&) noexcept;
  /// This rank's share of the next step, or nothing at the end of the epoch (the next call starts
  /// the next epoch). Throws what loading a chunk threw, again if called again.
  std::optional<Batch> next();
  Position position() const;
  /// `next` then goes on as an unbroken run would from there. Costs at most the loading of one
  /// buffer. Throws DataError if the epoch has fewer steps.
  void seek(Position position);
  const Plan& plan() const;  ///< of the current epoch
  LoaderCounters counters() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The plan's options that the loader's options stand for (mixed or chunk order). Throws UsageError
/// (78) for another order.
PlanOptions plan_options(const LoaderOptions& loader, std::int64_t global_batch,
                         std::uint64_t seed);

}  // namespace cellmill::data
