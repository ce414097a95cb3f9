#pragma once
// The rows that a loader holds in memory, in parts: the rows of a block of the plan that take part,
// or a whole chunk. Parts are wanted by the buffers in use; the others stay as far as `retain`
// allows (least recently wanted leave first), and the memory of those that leave is used for the
// next ones. No threads and no lock of its own: the owner holds one around every call.
#include <cstdint>
#include <exception>
#include <memory>
#include <vector>

#include "data/chunk_source.h"

namespace cellmill::data {

class PartStore {
 public:
  enum class Stage { kAbsent, kReading, kReady, kFailed };
  /// Of rows that `source` holds.
  PartStore(const ChunkSource& source, std::int64_t parts, std::int64_t retain_bytes)
      : source_(source), retain_(retain_bytes), slots_(static_cast<std::size_t>(parts)) {}
  void want(std::int32_t part);
  void release(std::int32_t part);
  Stage stage(std::int32_t part) const { return slots_[part].stage; }
  const HeldRows* rows(std::int32_t part) const { return slots_[part].rows.get(); }
  std::exception_ptr error(std::int32_t part) const { return slots_[part].error; }

  /// Marks an absent part as being read, and gives empty rows to read into.
  std::unique_ptr<HeldRows> begin(std::int32_t part, std::int64_t expected_bytes);
  void finish(std::int32_t part, std::unique_ptr<HeldRows> rows);
  void fail(std::int32_t part, std::exception_ptr error);

  std::int64_t wanted_bytes() const { return wanted_bytes_; }  ///< ready or being read
  std::int64_t peak_bytes() const { return peak_bytes_; }      ///< most ever held

 private:
  struct Slot {
    Stage stage = Stage::kAbsent;
    std::unique_ptr<HeldRows> rows;
    std::exception_ptr error;
    std::int64_t bytes = 0;
    std::int64_t wanted = 0;       // by so many buffers
    std::int64_t last_wanted = 0;  // on a clock of `want` calls
  };
  void account(Slot& slot, std::int64_t bytes);
  void evict();
  void drop(Slot& slot);

  const ChunkSource& source_;
  const std::int64_t retain_;
  std::vector<Slot> slots_;
  std::vector<std::unique_ptr<HeldRows>> spare_;
  std::int64_t clock_ = 0;
  std::int64_t bytes_ = 0, wanted_bytes_ = 0, peak_bytes_ = 0;
};

}  // namespace cellmill::data
