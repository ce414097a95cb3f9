#pragma once
// The rows that a loader holds until its batches take them, in whatever form their source gives
// them fastest: CSR, from which a batch copies, or the coded rows of a packed store, which are a
// quarter of that and decoded once, straight into the batch. `ChunkSource::hold` makes them.
#include <cstdint>
#include <memory>
#include <span>

namespace cellmill::data {

class ChunkSource;

class HeldRows {
 public:
  virtual ~HeldRows() = default;
  /// Appends these rows of a chunk, in rising order, checked as ChunkSource::read does. Returns the
  /// bytes that were read from files; after an error these rows are good for `clear` alone.
  virtual std::int64_t read(std::int64_t chunk, std::span<const std::int32_t> rows) = 0;
  /// No rows; the memory stays for the next ones.
  virtual void clear() = 0;
  virtual std::int64_t size() const = 0;
  virtual std::int64_t bytes() const = 0;
  virtual std::int64_t entries(std::int64_t row) const = 0;

  /// Where a row of a batch goes: `entries` columns and values, and the labels.
  struct Target {
    std::int32_t* columns;
    float* values;
    std::int64_t* labels;
    bool past_caches;  ///< the batch is larger than they are
  };
  /// Any thread, while nothing is read. Throws DataError for a row that turns out to be none.
  virtual void put(std::int64_t row, const Target& target) const = 0;
};

/// CSR, by `source.read`.
std::unique_ptr<HeldRows> csr_rows(const ChunkSource& source);

}  // namespace cellmill::data
