#pragma once
// The world of ranks over MPI, for host tensors. Sums do not rest on the library's choice of
// algorithm: each rank receives its share of the tensor from all others, adds it in order of rank,
// and the shares are gathered (a reduce-scatter and an all-gather, the traffic of a ring). What
// `zeros` gave lies in memory that the ranks of a machine share: there each adds its share where it
// stands, in the same order; machines exchange these sums as above. One thread at a time. An MPI
// error is thrown with code 71 and the library's words.
#include <mpi.h>

#include <cstddef>

#include "comm/communicator.h"
#include "comm/node_memory.h"

namespace cellmill::comm {

struct MpiOptions {
  std::int64_t piece_bytes = 16 << 20;   ///< reduced at a time; bounds the workspace that is kept
  std::int64_t small_bytes = 1 << 16;    ///< all ranks' values below this: one all-gather instead
  std::int64_t message_bytes = 1 << 30;  ///< largest single broadcast or all-gather
  int sharing_ranks = 0;                 ///< of a machine, that share memory; 0: all, 1: none
};

class MpiCommunicator : public Communicator {
 public:
  /// Over a duplicate of `parent`, collective. MPI is running.
  explicit MpiCommunicator(MPI_Comm parent, MpiOptions options = {});
  int rank() const override { return rank_; }
  int size() const override { return size_; }
  at::Tensor zeros(std::int64_t count, const at::TensorOptions& options) override;
  void all_reduce(at::Tensor& tensor, Op op) override;
  void reduce_scatter(at::Tensor& flat) override;
  void gather_shares(at::Tensor& flat) override;
  at::Tensor all_gather(const at::Tensor& tensor) override;
  at::Tensor all_to_all(const at::Tensor& rows) override;
  at::Tensor gather(const at::Tensor& tensor, int root) override;
  void broadcast(at::Tensor& tensor, int root) override;
  void barrier() override;
  std::string broadcast_text(const std::string& text, int root) override;
  std::vector<std::string> gather_texts(const std::string& text) override;
  /// Frees the duplicate; collective.
  void close() override;

 private:
  /// Calls f with a typed pointer to the values of a contiguous host tensor.
  template <class F>
  void with_values(const at::Tensor& tensor, const char* call, const F& f);
  template <class T>
  void reduce(T* values, std::int64_t count, Op op);
  template <class T>
  void reduce_small(T* values, std::int64_t count, Op op);
  template <class T>
  void reduce_piece(T* values, std::int64_t count, Op op);
  /// Rank r's result, of shares[r] values, to its places[r].
  template <class T>
  void scatter_piece(T* values, const std::vector<int>& places, const std::vector<int>& shares,
                     Op op);
  /// The shares of `ranks`, which are this world's ranks or stand for them, to each of these.
  template <class T>
  void scatter_shares(T* values, const std::vector<int>& ranks, std::int64_t share);
  template <class T>
  void reduce_in_memory(T* own, std::int64_t count, Op op);
  template <class T>
  void scatter_in_memory(T* own, std::int64_t share);
  template <class T>
  void gather_in_memory(T* own, std::int64_t share);
  /// [n, ...] -> uninitialised [size * n, ...], on the host.
  at::Tensor room_for_all(const at::Tensor& mine, const char* call) const;
  void broadcast_bytes(std::byte* bytes, std::int64_t count, int root);
  void gather_bytes(const std::byte* mine, std::int64_t count, std::byte* all);
  template <class T>
  T* workspace(std::int64_t count);

  MPI_Comm comm_ = MPI_COMM_NULL;
  MpiOptions options_;
  int rank_ = 0, size_ = 1;
  std::vector<std::byte> workspace_;
  // once `zeros` was called:
  std::unique_ptr<NodeMemory> node_;
  std::unique_ptr<MpiCommunicator> across_;  ///< ranks of this place on all machines
  std::vector<int> line_;                    ///< their ranks in this world
};

/// Throws Error (71) with the library's words for `code`, if it is not MPI_SUCCESS.
void check_mpi(int code, const char* call);

}  // namespace cellmill::comm
