#pragma once
// The loader: background threads read this rank's part of the plan's buffers, at least one ahead,
// within a budget of bytes, and gather minibatches from them as CSR, some ahead (data/assembler.h).
// Data that fit the budget are read once a run. Order depends on the plan alone. Errors of the
// threads are rethrown by `next`. One thread may use a Loader; the source must outlive it.
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
  std::int64_t prefetch_chunks = 2;   ///< whole chunks (deflated files): so many decoded ahead
  std::int64_t threads = 2;           ///< background threads
  std::int64_t memory_mb = 1024;      ///< rows held, read ahead or kept; one buffer's always are
  std::int64_t block_cells = 64;      ///< 0: whole chunks
  std::int64_t buffer_cells = 16384;  ///< cells mixed together, over all ranks
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
  std::int64_t rows_read = 0;
  std::int64_t bytes_read = 0;  ///< from files, by this rank
  std::int64_t peak_bytes = 0;  ///< most rows held at once
  double wait_seconds = 0;      ///< time `next` waited for the threads
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
  /// `next` then goes on as an unbroken run would from there. Costs at most the reading of one
  /// buffer, and nothing where it stands already. Throws DataError if the epoch has fewer steps.
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
