#include "data/part_store.h"

#include <algorithm>

namespace cellmill::data {

void PartStore::want(std::int32_t part) {
  Slot& slot = slots_[part];
  slot.last_wanted = ++clock_;
  if (slot.wanted++ == 0) wanted_bytes_ += slot.bytes;
}

void PartStore::release(std::int32_t part) {
  Slot& slot = slots_[part];
  if (--slot.wanted > 0) return;
  wanted_bytes_ -= slot.bytes;
  if (slot.stage == Stage::kReady && retain_ == 0)
    drop(slot);
  else
    evict();
}

std::unique_ptr<HeldRows> PartStore::begin(std::int32_t part, std::int64_t expected_bytes) {
  slots_[part].stage = Stage::kReading;
  account(slots_[part], expected_bytes);
  evict();
  if (spare_.empty()) return source_.hold();
  std::unique_ptr<HeldRows> rows = std::move(spare_.back());
  spare_.pop_back();
  rows->clear();
  return rows;
}

void PartStore::finish(std::int32_t part, std::unique_ptr<HeldRows> rows) {
  Slot& slot = slots_[part];
  account(slot, rows->bytes());
  slot.rows = std::move(rows);
  slot.stage = Stage::kReady;
  evict();
}

void PartStore::fail(std::int32_t part, std::exception_ptr error) {
  account(slots_[part], 0);
  slots_[part].stage = Stage::kFailed;
  slots_[part].error = std::move(error);
}

void PartStore::account(Slot& slot, std::int64_t bytes) {
  bytes_ += bytes - slot.bytes;
  if (slot.wanted > 0) wanted_bytes_ += bytes - slot.bytes;
  slot.bytes = bytes;
  peak_bytes_ = std::max(peak_bytes_, bytes_);
}

void PartStore::evict() {
  while (bytes_ > retain_ && bytes_ > wanted_bytes_) {
    Slot* oldest = nullptr;
    for (Slot& slot : slots_)
      if (slot.stage == Stage::kReady && slot.wanted == 0 &&
          (!oldest || slot.last_wanted < oldest->last_wanted))
        oldest = &slot;
    if (!oldest) return;
    drop(*oldest);
  }
}

void PartStore::drop(Slot& slot) {
  account(slot, 0);
  slot.stage = Stage::kAbsent;
  spare_.push_back(std::move(slot.rows));
}

}  // namespace cellmill::data
