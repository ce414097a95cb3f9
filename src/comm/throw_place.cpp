#include "comm/throw_place.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <execinfo.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>

namespace {

struct Throw {
  void* object = nullptr;
  void* thrower = nullptr;
  int depth = 0;
  std::array<void*, 48> frames{};
};

std::mutex mutex;
std::array<Throw, 16> last;
std::size_t next_throw = 0;

}  // namespace

extern "C" [[noreturn]] void __cxa_throw(void* object, std::type_info* type,
                                         void (*destroy)(void*)) {
  {
    const std::scoped_lock lock(mutex);
    Throw& here = last[next_throw++ % last.size()];
    here.object = object;
    here.thrower = __builtin_return_address(0);
    here.depth = backtrace(here.frames.data(), static_cast<int>(here.frames.size()));
  }
  using Function = void (*)(void*, std::type_info*, void (*)(void*));
  static const auto real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "__cxa_throw"));
  real(object, type, destroy);
  __builtin_unreachable();
}

namespace cellmill::comm {

std::vector<void*> throw_place(const std::exception_ptr& error) {
  void* object = nullptr;  // libstdc++'s exception_ptr is a pointer to the thrown object
  static_assert(sizeof error == sizeof object);
  std::memcpy(&object, &error, sizeof object);
  const std::scoped_lock lock(mutex);
  for (std::size_t back = 1; back <= last.size(); ++back) {
    const Throw& one = last[(next_throw - back) % last.size()];
    if (one.object != object) continue;
    const auto end = one.frames.begin() + one.depth;
    return {std::find(one.frames.begin(), end, one.thrower), end};  // a sanitizer adds frames
  }
  return {};
}

}  // namespace cellmill::comm
