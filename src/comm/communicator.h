#pragma once
// The world of ranks as a few collectives on tensors. Every rank calls the same members in the same
// order. Backends are chosen by file: SoloCommunicator (no MPI call at all), MpiCommunicator (host
// tensors), NcclCommunicator (CUDA tensors, own stream, events both ways). Destructors are silent;
// `close` is the success path.
#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "comm/failure.h"

namespace cellmill::comm {

/// kMax keeps a NaN; a uint8 sum wraps.
enum class Op { kSum, kMax };

class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// Flat memory for what is reduced often, where that costs least; lasts until `close`.
  /// Collective.
  virtual at::Tensor zeros(std::int64_t count, const at::TensorOptions& options);
  /// In place. The bits are the same on all ranks, and in every run of as many ranks. Contiguous
  /// float32, float64, int64 or uint8 tensors of equal shape. Stream-ordered on CUDA.
  virtual void all_reduce(at::Tensor& tensor, Op op) = 0;
  /// A sum, in place, that may go on beside what the caller does next; it is there after
  /// `finish_sums`. On the host, where ranks have no processor to spare for it, it is done at once.
  virtual void start_sum(at::Tensor& tensor) { all_reduce(tensor, Op::kSum); }
  virtual void finish_sums() {}
  // Of a flat tensor whose length the number of ranks divides, in place; rank r's share is the
  // r-th part.
  /// Each rank's share of the sum; the rest is undefined. The bits are all_reduce's.
  virtual void reduce_scatter(at::Tensor& flat);
  /// Every rank's own share to all.
  virtual void gather_shares(at::Tensor& flat);
  /// [n, ...] on every rank -> [size * n, ...] on every rank, in order of rank. Any dtype.
  virtual at::Tensor all_gather(const at::Tensor& tensor) = 0;
  /// [size * n, ...]: the r-th n rows go to rank r, whose result are the rows for it, in order of
  /// rank. Any dtype.
  virtual at::Tensor all_to_all(const at::Tensor& rows);
  /// What all_gather gives, on `root` alone, elsewhere an undefined tensor.
  virtual at::Tensor gather(const at::Tensor& tensor, int root);
  /// Contiguous, any dtype; in place.
  virtual void broadcast(at::Tensor& tensor, int root) = 0;
  virtual void barrier() = 0;
  /// Text of any length from `root` to all.
  virtual std::string broadcast_text(const std::string& text, int root) = 0;
  /// Every rank's text, in order of rank, on every rank.
  virtual std::vector<std::string> gather_texts(const std::string& text) = 0;
  virtual void close() = 0;
};

/// An error that every rank throws alike: the lowest failing rank's, with its rank in the text.
struct SharedError : Error {
  explicit SharedError(const Failure& failure)
      : Error(failure.code, failure.message, failure.hint), failure(failure) {}
  Failure failure;
};

/// Runs `phase` on every rank and lets all ranks learn how it went: if any failed, all throw the
/// lowest failing rank's error as a SharedError; nobody goes on alone. Call it around whatever may
/// fail on some ranks only (opening data, loading, publishing). `phase` calls no collective but a
/// nested `agree`. In a world of one the error passes as it is.
void agree(Communicator& world, const std::function<void()>& phase);

}  // namespace cellmill::comm
