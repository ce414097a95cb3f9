#pragma once
// A data set's cells as token sequences, window by window, for ranks that share the work on each:
// every rank reads its part of a window's cells, all get all of its sequences, so that all can cut
// it into the same batches. Memory is bounded by the window. All members are collective.
#include <cstdint>
#include <vector>

#include "base/progress.h"
#include "comm/world.h"
#include "infer/cell_sequences.h"
#include "infer/result_file.h"

namespace cellmill::app {

class CellWindows {
 public:
  /// `title` is what the progress line says that ranks do.
  CellWindows(comm::World& world, infer::CellSequences& cells, std::int64_t window_cells,
              const std::string& title);

  /// Reads the next window; false at the end. An error of one rank is thrown by all.
  bool next();
  std::int64_t begin() const { return begin_; }  ///< its first cell
  const data::Sequences& sequences() const { return sequences_; }

  /// This rank has done so many of the `mine` cells of the window that fall to it.
  void note(std::int64_t done, std::int64_t mine);
  void finish();  ///< the last line of progress
  /// The labels of all cells read so far, one column a field.
  std::vector<infer::Column> labels() const;

 private:
  comm::World& world_;
  infer::CellSequences& cells_;
  std::int64_t window_cells_, begin_ = 0, end_ = 0;
  data::Sequences sequences_;
  std::vector<std::int32_t> labels_;  // [cells, fields]
  Progress progress_;
};

}  // namespace cellmill::app
