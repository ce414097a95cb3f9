#pragma once
// Pieces of a source worked on by several threads and handed on in order.
#include <cstdint>
#include <deque>
#include <future>
#include <type_traits>
#include <vector>

#include "data/chunk_source.h"

namespace cellmill::data {

/// Runs `make(i)` for i in [begin, end) on threads, so many at a time, and hands the results to
/// `take` in order, on this thread. Errors of either come out here.
template <class Make, class Take>
void in_order(std::int64_t begin, std::int64_t end, std::int64_t threads, Make make, Take take) {
  std::deque<std::future<std::invoke_result_t<Make, std::int64_t>>> running;
  for (std::int64_t i = begin; i < end || !running.empty();) {
    for (; i < end && static_cast<std::int64_t>(running.size()) < threads; ++i)
      running.push_back(std::async(std::launch::async, make, i));
    take(running.front().get());
    running.pop_front();
  }
}

/// Rows [begin, end) of a chunk.
struct Piece {
  std::int64_t chunk, begin, end;
};

/// The cells from number `first` on, in pieces that are read at once: of a source that reads rows,
/// enough to be read in long runs and little enough to be held.
std::vector<Piece> pieces_of(const ChunkSource& source, std::int64_t first = 0);

/// What 0 threads stand for: one a core.
std::int64_t threads_or_cores(std::int64_t threads);

}  // namespace cellmill::data
