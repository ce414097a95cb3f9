#include "comm/mpi_communicator.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>
#include <climits>
#include <cstring>
#include <numeric>
#include <type_traits>

#include "comm/activity.h"
#include "comm/combine.h"

namespace cellmill::comm {
namespace {

template <class T>
MPI_Datatype mpi_type();
template <>
MPI_Datatype mpi_type<float>() {
  return MPI_FLOAT;
}
template <>
MPI_Datatype mpi_type<double>() {
  return MPI_DOUBLE;
}
template <>
MPI_Datatype mpi_type<std::int64_t>() {
  return MPI_INT64_T;
}
template <>
MPI_Datatype mpi_type<std::uint8_t>() {
  return MPI_UINT8_T;
}

void require_host(const at::Tensor& tensor, const char* call) {
  if (!tensor.device().is_cpu() || !tensor.is_contiguous())
    throw InternalError(std::string(call) + " over MPI wants a contiguous host tensor, not " +
                        tensor.toString() + " on " + tensor.device().str());
}

std::byte* bytes_of(const at::Tensor& tensor) { return static_cast<std::byte*>(tensor.data_ptr()); }

}  // namespace

void check_mpi(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw Error(Exit::kPeerLost, std::string(call) + " failed: " + std::string(text, length),
              "another rank or the network between them is gone; the first failure in the logs is "
              "the cause");
}

MpiCommunicator::MpiCommunicator(MPI_Comm parent, MpiOptions options) : options_(options) {
  check_mpi(MPI_Comm_dup(parent, &comm_), "MPI_Comm_dup");
  MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN);
  MPI_Comm_rank(comm_, &rank_);
  MPI_Comm_size(comm_, &size_);
}

template <class T>
T* MpiCommunicator::workspace(std::int64_t count) {
  const std::size_t bytes = count * sizeof(T);
  if (workspace_.size() < bytes) workspace_.resize(bytes);
  return reinterpret_cast<T*>(workspace_.data());
}

template <class F>
void MpiCommunicator::with_values(const at::Tensor& tensor, const char* call, const F& f) {
  require_host(tensor, call);
  switch (tensor.scalar_type()) {
    case at::kFloat:
      return f(tensor.data_ptr<float>());
    case at::kDouble:
      return f(tensor.data_ptr<double>());
    case at::kLong:
      return f(tensor.data_ptr<std::int64_t>());
    case at::kByte:
      return f(tensor.data_ptr<std::uint8_t>());
    default:
      throw InternalError(std::string(call) + " of " + tensor.toString());
  }
}

void MpiCommunicator::all_reduce(at::Tensor& tensor, Op op) {
  const Collective waiting;
  with_values(tensor, "all_reduce", [&](auto* values) { reduce(values, tensor.numel(), op); });
}

void MpiCommunicator::reduce_scatter(at::Tensor& flat) {
  const Collective waiting;
  if (flat.numel() > INT_MAX) return Communicator::reduce_scatter(flat);
  with_values(flat, "reduce_scatter", [&](auto* values) {
    const auto share = flat.numel() / size_;
    if (node_ && node_->holds(values)) return scatter_in_memory(values, share);
    std::vector<int> all(size_);
    std::iota(all.begin(), all.end(), 0);
    scatter_shares(values, all, share);
  });
}

void MpiCommunicator::gather_shares(at::Tensor& flat) {
  const Collective waiting;
  if (flat.numel() > INT_MAX) return Communicator::gather_shares(flat);
  with_values(flat, "gather_shares", [&](auto* values) {
    const auto share = flat.numel() / size_;
    if (node_ && node_->holds(values)) return gather_in_memory(values, share);
    using T = std::remove_pointer_t<decltype(values)>;
    check_mpi(MPI_Allgather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, values, static_cast<int>(share),
                            mpi_type<T>(), comm_),
              "MPI_Allgather");
  });
}

template <class T>
void MpiCommunicator::reduce(T* values, std::int64_t count, Op op) {
  if (size_ == 1 || count == 0) return;
  if (node_ && node_->holds(values)) return reduce_in_memory(values, count, op);
  if (count * static_cast<std::int64_t>(sizeof(T)) * size_ <= options_.small_bytes)
    return reduce_small(values, count, op);
  const std::int64_t piece = std::max<std::int64_t>(options_.piece_bytes / sizeof(T), 1);
  for (std::int64_t begin = 0; begin < count; begin += piece)
    reduce_piece(values + begin, std::min(piece, count - begin), op);
}

template <class T>
void MpiCommunicator::reduce_small(T* values, std::int64_t count, Op op) {
  T* all = workspace<T>(count * size_);
  check_mpi(MPI_Allgather(values, count, mpi_type<T>(), all, count, mpi_type<T>(), comm_),
            "MPI_Allgather");
  std::vector<T*> parts(size_);
  for (int r = 0; r < size_; ++r) parts[r] = all + r * count;
  combine_in_order({values}, parts, count, op);
}

template <class T>
void MpiCommunicator::reduce_piece(T* values, std::int64_t count, Op op) {
  std::vector<int> places(size_), shares(size_);
  for (int r = 0; r < size_; ++r) {
    places[r] = static_cast<int>(count * r / size_);
    shares[r] = static_cast<int>(count * (r + 1) / size_) - places[r];
  }
  scatter_piece(values, places, shares, op);
  check_mpi(MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, values, shares.data(), places.data(),
                           mpi_type<T>(), comm_),
            "MPI_Allgatherv");
}

template <class T>
void MpiCommunicator::scatter_piece(T* values, const std::vector<int>& places,
                                    const std::vector<int>& shares, Op op) {
  const int mine = shares[rank_];
  T* others = workspace<T>(static_cast<std::int64_t>(mine) * size_);
  T* share = values + places[rank_];
  std::vector<int> sent(shares), received(size_, mine), arrivals(size_);
  std::vector<T*> parts(size_);
  for (int r = 0; r < size_; ++r) {
    arrivals[r] = r * mine;
    parts[r] = r == rank_ ? share : others + arrivals[r];
  }
  sent[rank_] = received[rank_] = 0;
  check_mpi(MPI_Alltoallv(values, sent.data(), places.data(), mpi_type<T>(), others,
                          received.data(), arrivals.data(), mpi_type<T>(), comm_),
            "MPI_Alltoallv");
  combine_in_order({share}, parts, mine, op);
}

template <class T>
void MpiCommunicator::scatter_shares(T* values, const std::vector<int>& ranks, std::int64_t share) {
  if (size_ == 1) return;
  std::vector<int> places;
  for (const int rank : ranks) places.push_back(static_cast<int>(rank * share));
  const std::int64_t piece = std::max<std::int64_t>(options_.piece_bytes / sizeof(T) / size_, 1);
  for (std::int64_t begin = 0; begin < share; begin += piece)
    scatter_piece(values + begin, places,
                  std::vector<int>(size_, static_cast<int>(std::min(piece, share - begin))),
                  Op::kSum);
}

// What the ranks of a machine do in its memory; ranks of the same place on all machines then go on
// by messages, each with what its machine has combined.

template <class T>
void MpiCommunicator::reduce_in_memory(T* own, std::int64_t count, Op op) {
  constexpr std::int64_t kLine = 64 / sizeof(T);  // no cache line has two writers
  const std::int64_t ranks = node_->size();
  const auto cut = [&](std::int64_t r) {
    return r == ranks ? count : count * r / ranks / kLine * kLine;
  };
  const auto begin = cut(node_->rank()), n = cut(node_->rank() + 1) - begin;
  const bool alone = across_->size() == 1;
  node_->meet();
  node_->combine(own + begin, n, op, alone ? NodeMemory::Into::kAll : NodeMemory::Into::kOwn);
  if (!alone) {
    across_->reduce(own + begin, n, op);
    node_->spread(own + begin, n * sizeof(T));
  }
  node_->meet();
}

template <class T>
void MpiCommunicator::scatter_in_memory(T* own, std::int64_t share) {
  node_->meet();
  for (const int rank : line_)
    node_->combine(own + rank * share, share, Op::kSum, NodeMemory::Into::kOwn);
  across_->scatter_shares(own, line_, share);
  node_->meet();
}

template <class T>
void MpiCommunicator::gather_in_memory(T* own, std::int64_t share) {
  std::vector<int> places, shares(line_.size(), static_cast<int>(share));
  for (const int rank : line_) places.push_back(static_cast<int>(rank * share));
  if (line_.size() > 1)
    check_mpi(MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, own, shares.data(), places.data(),
                             mpi_type<T>(), across_->comm_),
              "MPI_Allgatherv");
  node_->meet();
  for (const int place : places) node_->spread(own + place, share * sizeof(T));
  node_->meet();
}

at::Tensor MpiCommunicator::zeros(std::int64_t count, const at::TensorOptions& options) {
  const Collective waiting;
  if (options.device().type() != c10::kCPU || size_ == 1)
    return Communicator::zeros(count, options);
  if (!node_) {
    node_ = std::make_unique<NodeMemory>(comm_, options_.sharing_ranks);
    auto apart = options_;
    apart.sharing_ranks = 1;
    across_ = std::make_unique<MpiCommunicator>(node_->across(), apart);
    line_.resize(across_->size());
    check_mpi(MPI_Allgather(&rank_, 1, MPI_INT, line_.data(), 1, MPI_INT, across_->comm_),
              "MPI_Allgather");
  }
  const auto shared = node_->zeros(count, options);
  return shared.defined() ? shared : Communicator::zeros(count, options);
}

at::Tensor MpiCommunicator::room_for_all(const at::Tensor& mine, const char* call) const {
  require_host(mine, call);
  if (mine.dim() == 0) throw InternalError(std::string(call) + " of a tensor without dimensions");
  std::vector<std::int64_t> shape = mine.sizes().vec();
  shape[0] *= size_;
  return at::empty(shape, mine.options());
}

at::Tensor MpiCommunicator::all_to_all(const at::Tensor& rows) {
  require_host(rows, "all_to_all");
  const auto bytes = static_cast<std::int64_t>(rows.nbytes()) / size_;
  if (bytes > INT_MAX) return Communicator::all_to_all(rows);
  auto arrived = at::empty_like(rows);
  check_mpi(MPI_Alltoall(rows.data_ptr(), static_cast<int>(bytes), MPI_BYTE, arrived.data_ptr(),
                         static_cast<int>(bytes), MPI_BYTE, comm_),
            "MPI_Alltoall");
  return arrived;
}

at::Tensor MpiCommunicator::gather(const at::Tensor& tensor, int root) {
  const Collective waiting;
  const at::Tensor mine = tensor.contiguous();
  at::Tensor all;
  if (rank_ == root) all = room_for_all(mine, "gather");
  const auto bytes = static_cast<std::int64_t>(mine.nbytes());
  for (int r = 0; r < size_; ++r) {
    if (r == rank_ && r == root) std::memcpy(bytes_of(all) + r * bytes, bytes_of(mine), bytes);
    if ((r == rank_) == (rank_ == root)) continue;  // neither sends nor receives
    for (std::int64_t begin = 0; begin < bytes; begin += options_.message_bytes) {
      const auto n = std::min(options_.message_bytes, bytes - begin);
      if (r == rank_)
        check_mpi(MPI_Send(bytes_of(mine) + begin, n, MPI_BYTE, root, 0, comm_), "MPI_Send");
      else
        check_mpi(MPI_Recv(bytes_of(all) + r * bytes + begin, n, MPI_BYTE, r, 0, comm_,
                           MPI_STATUS_IGNORE),
                  "MPI_Recv");
    }
  }
  return all;
}

void MpiCommunicator::gather_bytes(const std::byte* mine, std::int64_t count, std::byte* all) {
  const std::int64_t piece = std::max<std::int64_t>(options_.message_bytes / size_, 1);
  if (count <= piece)
    return check_mpi(MPI_Allgather(mine, count, MPI_BYTE, all, count, MPI_BYTE, comm_),
                     "MPI_Allgather");
  std::byte* arrived = workspace<std::byte>(piece * size_);
  for (std::int64_t begin = 0; begin < count; begin += piece) {
    const std::int64_t n = std::min(piece, count - begin);
    check_mpi(MPI_Allgather(mine + begin, n, MPI_BYTE, arrived, n, MPI_BYTE, comm_),
              "MPI_Allgather");
    for (int r = 0; r < size_; ++r) std::memcpy(all + r * count + begin, arrived + r * n, n);
  }
}

at::Tensor MpiCommunicator::all_gather(const at::Tensor& tensor) {
  const Collective waiting;
  const at::Tensor mine = tensor.contiguous();
  at::Tensor all = room_for_all(mine, "all_gather");
  if (mine.nbytes() > 0) gather_bytes(bytes_of(mine), mine.nbytes(), bytes_of(all));
  return all;
}

void MpiCommunicator::broadcast_bytes(std::byte* bytes, std::int64_t count, int root) {
  for (std::int64_t begin = 0; begin < count; begin += options_.message_bytes)
    check_mpi(MPI_Bcast(bytes + begin, std::min(options_.message_bytes, count - begin), MPI_BYTE,
                        root, comm_),
              "MPI_Bcast");
}

void MpiCommunicator::broadcast(at::Tensor& tensor, int root) {
  const Collective waiting;
  require_host(tensor, "broadcast");
  broadcast_bytes(bytes_of(tensor), tensor.nbytes(), root);
}

void MpiCommunicator::barrier() {
  const Collective waiting;
  check_mpi(MPI_Barrier(comm_), "MPI_Barrier");
}

std::string MpiCommunicator::broadcast_text(const std::string& text, int root) {
  const Collective waiting;
  std::int64_t length = text.size();
  check_mpi(MPI_Bcast(&length, 1, MPI_INT64_T, root, comm_), "MPI_Bcast");
  std::string copy = text;
  copy.resize(length);
  broadcast_bytes(reinterpret_cast<std::byte*>(copy.data()), length, root);
  return copy;
}

std::vector<std::string> MpiCommunicator::gather_texts(const std::string& text) {
  const Collective waiting;
  const std::int64_t length = text.size();
  std::vector<std::int64_t> lengths(size_);
  check_mpi(MPI_Allgather(&length, 1, MPI_INT64_T, lengths.data(), 1, MPI_INT64_T, comm_),
            "MPI_Allgather");
  std::vector<std::string> texts(size_);
  for (int r = 0; r < size_; ++r) {
    texts[r] = r == rank_ ? text : std::string(lengths[r], '\0');
    broadcast_bytes(reinterpret_cast<std::byte*>(texts[r].data()), lengths[r], r);
  }
  return texts;
}

void MpiCommunicator::close() {
  const Collective waiting;
  if (node_) {
    across_->close();
    node_->close();
  }
  check_mpi(MPI_Comm_free(&comm_), "MPI_Comm_free");
}

}  // namespace cellmill::comm
