#include "io/digest.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <memory>
#include <vector>

#include "base/format.h"
#include "io/descriptor.h"

namespace cellmill::io {

std::string digest(const void* data, std::size_t bytes) {
  return fmt::format("{:016x}", XXH3_64bits(data, bytes));
}

std::string digest_file(const std::string& path) {
  Descriptor file(path, Descriptor::Mode::kRead);
  std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(),
                                                                 &XXH3_freeState);
  XXH3_64bits_reset(state.get());
  std::vector<char> piece(1 << 20);
  std::uint64_t offset = 0;
  while (std::size_t n = file.read_at(piece.data(), piece.size(), offset)) {
    XXH3_64bits_update(state.get(), piece.data(), n);
    offset += n;
  }
  return fmt::format("{:016x}", XXH3_64bits_digest(state.get()));
}

}  // namespace cellmill::io
