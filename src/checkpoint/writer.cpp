#include "checkpoint/writer.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <utility>

#include "base/huge_memory.h"
#include "base/log.h"
#include "base/stopwatch.h"
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
  finish();
  check_storable(state);
  for (auto& [name, tensor] : state.tensors) {
    auto& copy = copies_[name];
    if (!fits(copy, tensor)) copy = memory_for(tensor);
    copy.copy_(tensor.detach());
    tensor = copy;
  }
  thread_.run([this, step, state = std::move(state), published = std::move(published),
               stood = caller.seconds()] {
    const Stopwatch writing;
    const auto path = checkpoint::save(folder_, step, state);
    published();
    log::info("saved {}: training stood still for {:.0f} ms, writing took {:.2f} s", path.string(),
              1e3 * stood, writing.seconds());
  });
}

}  // namespace cellmill::checkpoint
