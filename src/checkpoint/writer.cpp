#include "checkpoint/writer.h"

#include <ATen/ops/empty.h>

#include <utility>

#include "base/log.h"
#include "base/stopwatch.h"
#include "checkpoint/state_file.h"

namespace cellmill::checkpoint {
namespace {

bool fits(const at::Tensor& copy, const at::Tensor& tensor) {
  return copy.defined() && copy.sizes() == tensor.sizes() && copy.dtype() == tensor.dtype();
}

}  // namespace

void Writer::save(std::int64_t step, State state, std::function<void()> published) {
  const Stopwatch caller;
  finish();
  check_storable(state);
  for (auto& [name, tensor] : state.tensors) {
    auto& copy = copies_[name];
    if (!fits(copy, tensor)) {
      const auto options = at::TensorOptions(tensor.dtype()).pinned_memory(tensor.is_cuda());
      copy = at::empty(tensor.sizes(), options);
    }
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
