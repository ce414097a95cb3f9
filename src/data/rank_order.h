#pragma once
// The order of a cell's genes: largest value first, exactly that of float64, ties by place.
// A radix sort by as many leading bits of the values' float32 images as the row needs (rounding to
// float32 never turns two values around), then exact repair of the runs whose bits are equal.
#include <cstdint>
#include <span>
#include <vector>

#include "base/unset_vector.h"

namespace cellmill::data {

class RankOrder {
 public:
  /// What is > 0 of `values`, the `most` largest of them in order, as entries that `index` turns
  /// into places in `values`; of equal ones the lower of `ties` (distinct) first. Valid until the
  /// next call.
  std::span<const std::uint64_t> sort(std::span<const double> values, const std::int32_t* ties,
                                      std::int64_t most);
  std::size_t found() const { return found_; }  ///< of the last call: how many were > 0
  static std::size_t index(std::uint64_t entry) { return entry & 0xffffffffU; }

 private:
  void make_entries(std::span<const double> values);
  void leave_small_out(std::size_t most);
  void choose_digits();
  void radix_sort();
  void repair(std::span<const double> values, const std::int32_t* ties);

  UnsetVector<std::uint32_t> keys_;             // of all values
  UnsetVector<std::uint64_t> entries_, other_;  // key, rising as values fall, and index
  std::size_t size_ = 0, found_ = 0;            // of both; before the small ones left
  std::uint32_t least_ = 0, range_ = 0;         // of the keys
  int bits_ = 0, shift_ = 0;                    // of a digit; of the lower one
  std::vector<std::uint32_t> counts_;
};

}  // namespace cellmill::data
