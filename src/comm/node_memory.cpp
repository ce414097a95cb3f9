#include "comm/node_memory.h"

#include <ATen/Parallel.h>
#include <ATen/ops/from_blob.h>

#include <cstring>

#include "base/log.h"
#include "comm/combine.h"
#include "comm/mpi_communicator.h"

namespace cellmill::comm {

NodeMemory::NodeMemory(MPI_Comm parent, int ranks) : parent_(parent) {
  int rank = 0;
  MPI_Comm_rank(parent, &rank);
  MPI_Comm machine = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split_type(parent, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &machine),
            "MPI_Comm_split_type");
  int place = 0;
  MPI_Comm_rank(machine, &place);
  check_mpi(MPI_Comm_split(machine, ranks > 0 ? place / ranks : 0, rank, &node_), "MPI_Comm_split");
  MPI_Comm_free(&machine);
  MPI_Comm_set_errhandler(node_, MPI_ERRORS_RETURN);
  MPI_Comm_rank(node_, &rank_);
  MPI_Comm_size(node_, &size_);
  check_mpi(MPI_Comm_split(parent, rank_, rank, &across_), "MPI_Comm_split");

  int sizes[] = {size_, -size_};
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, sizes, 2, MPI_INT, MPI_MAX, parent), "MPI_Allreduce");
  usable_ = sizes[0] == -sizes[1] && size_ > 1;
}

bool NodeMemory::all_have(bool mine) const {
  int all = mine;
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &all, 1, MPI_INT, MPI_MIN, parent_), "MPI_Allreduce");
  return all;
}

at::Tensor NodeMemory::zeros(std::int64_t count, const at::TensorOptions& options) {
  if (!usable_) return {};
  Window made{MPI_WIN_NULL, count * options.dtype().itemsize(), {}};
  MPI_Info apart = MPI_INFO_NULL;  // parts begin at pages of their own, on their rank's NUMA node
  MPI_Info_create(&apart);
  MPI_Info_set(apart, "alloc_shared_noncontig", "true");
  void* own = nullptr;
  const int code = MPI_Win_allocate_shared(static_cast<MPI_Aint>(made.bytes), 1, apart, node_, &own,
                                           &made.window);
  MPI_Info_free(&apart);
  if (!all_have(code == MPI_SUCCESS)) {
    log::debug("no shared memory for {} MB: reducing by messages", made.bytes >> 20);
    return {};
  }
  check_mpi(MPI_Win_lock_all(MPI_MODE_NOCHECK, made.window), "MPI_Win_lock_all");
  for (int r = 0; r < size_; ++r) {
    MPI_Aint bytes = 0;
    int unit = 0;
    void* part = nullptr;
    check_mpi(MPI_Win_shared_query(made.window, r, &bytes, &unit, &part), "MPI_Win_shared_query");
    made.parts.push_back(static_cast<std::byte*>(part));
  }
  std::memset(own, 0, made.bytes);
  windows_.push_back(made);
  meet();
  return at::from_blob(own, {count}, options);
}

const NodeMemory::Window* NodeMemory::window_of(const void* own) const {
  const auto* byte = static_cast<const std::byte*>(own);
  for (const auto& window : windows_)
    if (byte >= window.parts[rank_] && byte < window.parts[rank_] + window.bytes) return &window;
  return nullptr;
}

template <class T>
void NodeMemory::combine(T* own, std::int64_t count, Op op, Into into) {
  if (count == 0) return;
  const auto& parts = window_of(own)->parts;
  const auto place = reinterpret_cast<std::byte*>(own) - parts[rank_];
  constexpr std::int64_t kGrain = 1 << 16;
  at::parallel_for(0, count, kGrain, [&](std::int64_t begin, std::int64_t end) {
    std::vector<T*> from;
    for (auto* part : parts) from.push_back(reinterpret_cast<T*>(part + place) + begin);
    combine_in_order(into == Into::kAll ? from : std::vector<T*>{own + begin}, from, end - begin,
                     op);
  });
}

template void NodeMemory::combine(float*, std::int64_t, Op, Into);
template void NodeMemory::combine(double*, std::int64_t, Op, Into);
template void NodeMemory::combine(std::int64_t*, std::int64_t, Op, Into);
template void NodeMemory::combine(std::uint8_t*, std::int64_t, Op, Into);

void NodeMemory::spread(const void* own, std::size_t bytes) {
  if (bytes == 0) return;
  const auto& parts = window_of(own)->parts;
  const auto place = static_cast<const std::byte*>(own) - parts[rank_];
  for (int r = 0; r < size_; ++r)
    if (r != rank_) std::memcpy(parts[r] + place, own, bytes);
}

void NodeMemory::meet() {
  for (const auto& window : windows_) MPI_Win_sync(window.window);
  check_mpi(MPI_Barrier(node_), "MPI_Barrier");
  for (const auto& window : windows_) MPI_Win_sync(window.window);
}

void NodeMemory::close() {
  for (auto& window : windows_) {
    check_mpi(MPI_Win_unlock_all(window.window), "MPI_Win_unlock_all");
    check_mpi(MPI_Win_free(&window.window), "MPI_Win_free");
  }
  windows_.clear();
  MPI_Comm_free(&across_);
  MPI_Comm_free(&node_);
}

}  // namespace cellmill::comm
