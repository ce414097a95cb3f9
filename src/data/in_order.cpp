#include "data/in_order.h"

#include <algorithm>
#include <thread>

namespace cellmill::data {

std::vector<Piece> pieces_of(const ChunkSource& source, std::int64_t first) {
  constexpr std::int64_t kPieceCells = 4096;
  std::vector<Piece> pieces;
  for (const ChunkInfo& chunk : source.index()) {
    const std::int64_t most = source.reads_rows() ? kPieceCells : chunk.rows;
    for (std::int64_t begin = std::max(first - chunk.first_cell, std::int64_t{0});
         begin < chunk.rows; begin += most)
      pieces.push_back({chunk.id, begin, std::min(begin + most, chunk.rows)});
  }
  return pieces;
}

std::int64_t threads_or_cores(std::int64_t threads) {
  return threads > 0 ? threads : std::max(1u, std::thread::hardware_concurrency());
}

}  // namespace cellmill::data
