#include "checkpoint/writer.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/format.h"
#include "base/huge_memory.h"
#include "base/log.h"
#include "base/stopwatch.h"
#include "checkpoint/folder.h"
#include "checkpoint/state_file.h"

namespace cellmill::checkpoint {
namespace {

bool fits(const at::Tensor& copy, const at::Tensor& tensor) {
  return copy.defined() && copy.sizes() == tensor.sizes() && copy.dtype() == tensor.dtype();
}

at::Tensor memory_for(const at::Tensor& tensor) {
  const at::TensorOptions options(tensor.dtype());
  if (tensor.is_cuda()) return at::empty(tensor.sizes(), options.pinned_memory(true));
  const auto bytes = tensor.nbytes();
  const auto give_back = [bytes](void* memory) { give_huge(memory, bytes); };
  return at::from_blob(take_huge(bytes), tensor.sizes(), give_back, options);
}

}  // namespace

void Writer::prepare(const State& state) {
  thread_.run([this, tensors = state.tensors] {
    for (const auto& [name, tensor] : tensors) copies_[name] = memory_for(tensor).zero_();
  });
}

void Writer::save(std::int64_t step, State state, std::function<void()> published) {
  const Stopwatch caller;
  finishing_ = false;
  thread_.wait();
  check_storable(state);
  for (auto& [name, tensor] : state.tensors) {
    auto& copy = copies_[name];
    if (!fits(copy, tensor)) copy = memory_for(tensor);
    copy.copy_(tensor.detach());
    tensor = copy;
  }
  thread_.run([this, piece = Piece{step, std::move(state), std::move(published)},
               stood = caller.seconds()] {
    const Stopwatch writing;
    if (persist(piece))
      log::info("saved {}: training stood still for {:.0f} ms, writing took {:.2f} s",
                place_of(folder_, piece.step).string(), 1e3 * stood, writing.seconds());
  });
}

void Writer::save_now(std::int64_t step, const State& state,
                      const std::function<void()>& published) {
  thread_.wait();
  attempt({step, state, published});
}

void Writer::finish() {
  finishing_ = true;
  thread_.wait();
  finishing_ = false;
}

void Writer::attempt(const Piece& piece) {
  before_();
  checkpoint::save(folder_, piece.step, piece.state);
  piece.published();
}

bool Writer::persist(const Piece& piece) {
  constexpr double kMostRest = 60;
  double rest = 0;
  for (bool last = false;;) {
    try {
      attempt(piece);
      return true;
    } catch (const DataError& e) {
      if (e.code() != Exit::kIo || last) throw;
      log::warn("step {} could not be saved; trying again {}: {}", piece.step,
                rest > 0 ? fmt::format("in {:.0f} s", rest) : "at once", e.text());
    }
    if (rest > 0 && !thread_.rest(rest)) {
      last = finishing_;
      if (!last) {
        log::error("step {} was never saved: a later one takes its place", piece.step);
        return false;
      }
    }
    rest = std::clamp(2 * rest, 1.0, kMostRest);
  }
}

}  // namespace cellmill::checkpoint
