#pragma once
// What every source does with the expression it read: refuse what cannot be expression, bring rows
// into order, normalise counts. One object a source; `prepare` is thread-safe.
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/chunk.h"
#include "data/faults.h"

namespace cellmill::data {

class Expression {
 public:
  /// `raw_counts`: the values are counts and become log1p(1e4 * x / row sum); rows without counts
  /// stay zero. `faults`: entries that cannot be are counted there and left out. `takes_counts`:
  /// the model wants counts.
  explicit Expression(bool raw_counts, std::shared_ptr<Faults> faults = {},
                      bool takes_counts = false)
      : raw_counts_(raw_counts), takes_counts_(takes_counts), faults_(std::move(faults)) {}
  /// Makes the rows of `chunk` from row `from` on what data/chunk.h promises: columns of a row are
  /// sorted; counts are normalised. Throws DataError with file, row (`first_row` is the number of
  /// row `from` in the file) and column for NaN, infinity, a negative value, a column out of range
  /// or given twice, a falling indptr, lengths that do not agree. Warns once if the values of the
  /// first rows look like counts and are not said to be, or the reverse.
  void prepare(Chunk& chunk, const std::string& file, std::int64_t first_row = 0,
               std::int64_t from = 0) const;

 private:
  void warn_if_scale_is_doubtful(const Chunk& chunk, std::int64_t from,
                                 const std::string& file) const;
  void leave_out(Chunk& chunk, const std::string& file, std::int64_t first_row,
                 std::int64_t from) const;
  bool raw_counts_, takes_counts_;
  std::shared_ptr<Faults> faults_;
  mutable std::atomic<bool> warned_{false};
  mutable std::atomic<std::int64_t> rows_judged_{0};
};

/// Throws DataError for the first value that is no whole number; row 0 is cell `first_cell` of
/// `file`.
void refuse_fractions(const Chunk& chunk, const std::string& file, std::int64_t first_cell,
                      const std::vector<std::string>& genes);

/// The largest count that log-normalised values cannot be mistaken for: all values integers and the
/// largest above this.
inline constexpr float kCountsAbove = 30;

}  // namespace cellmill::data
