#include "data/batch_pool.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <sys/mman.h>

#include <algorithm>

namespace cellmill::data {
namespace {

constexpr std::size_t kSlotsKept = 6;
constexpr std::uintptr_t kHugePage = 2 << 20;

void fit(at::Tensor& tensor, std::int64_t size, at::ScalarType type) {
  if (tensor.defined() && tensor.numel() >= size) return;
  tensor = at::empty({size + size / 8}, type);
  const auto begin = reinterpret_cast<std::uintptr_t>(tensor.mutable_data_ptr());
  const auto first = (begin + kHugePage - 1) / kHugePage * kHugePage,
             last = (begin + tensor.nbytes()) / kHugePage * kHugePage;
  if (last > first) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
}

}  // namespace

bool BatchPool::Slot::free() const {
  const at::Tensor* const all[] = {&indptr, &indices, &values, &labels, &cells};
  return std::all_of(std::begin(all), std::end(all),
                     [](const at::Tensor* t) { return t->storage().use_count() == 1; });
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
