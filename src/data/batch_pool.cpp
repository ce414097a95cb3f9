#include "data/batch_pool.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <atomic>

#include "base/huge_memory.h"

namespace cellmill::data {
namespace {

constexpr std::size_t kSlotsKept = 6;

void fit(at::Tensor& tensor, std::int64_t size, at::ScalarType type) {
  if (tensor.defined() && tensor.numel() >= size) return;
  const std::int64_t room = size + size / 8;
  const std::size_t bytes = static_cast<std::size_t>(room) * c10::elementSize(type);
  if (bytes < kHugeFrom) {
    tensor = at::empty({room}, type);
    return;
  }
  tensor = at::Tensor();  // its memory may serve
  tensor = at::from_blob(
      take_huge(bytes), {room}, [bytes](void* memory) { give_huge(memory, bytes); }, type);
}

}  // namespace

bool BatchPool::Slot::free() const {
#ifdef __SANITIZE_THREAD__
  return false;  // it sees neither libtorch's counts nor a fence
#else
  const at::Tensor* const all[] = {&indptr, &indices, &values, &labels, &cells};
  const bool free = std::all_of(std::begin(all), std::end(all),
                                [](const at::Tensor* t) { return t->storage().use_count() == 1; });
  std::atomic_thread_fence(std::memory_order_acquire);  // the count is read relaxed
  return free;
#endif
}

Batch BatchPool::take(std::int64_t cells, std::int64_t entries, std::int64_t fields) {
  const std::lock_guard lock(mutex_);
  auto slot = std::find_if(slots_.begin(), slots_.end(), [](const Slot& s) { return s.free(); });
  if (slots_.size() > kSlotsKept && slot != slots_.end()) {
    const auto rest =
        std::remove_if(slot + 1, slots_.end(), [](const Slot& s) { return s.free(); });
    slots_.erase(rest, slots_.end());
  }
  if (slot == slots_.end()) slot = slots_.insert(slot, Slot{});
  fit(slot->indptr, cells + 1, at::kLong);
  fit(slot->indices, entries, at::kInt);
  fit(slot->values, entries, at::kFloat);
  fit(slot->labels, cells * fields, at::kLong);
  fit(slot->cells, cells, at::kLong);
  return {.indptr = slot->indptr.narrow(0, 0, cells + 1),
          .indices = slot->indices.narrow(0, 0, entries),
          .values = slot->values.narrow(0, 0, entries),
          .labels = slot->labels.narrow(0, 0, cells * fields).view({cells, fields}),
          .cells = slot->cells.narrow(0, 0, cells)};
}

}  // namespace cellmill::data
