#include "io/block_digests.h"

#include <algorithm>

#include "base/error.h"
#include "base/format.h"
#include "io/descriptor.h"
#include "io/digest.h"

namespace cellmill::io {

namespace fs = std::filesystem;

BlockDigests digest_blocks(const fs::path& path) {
  Descriptor file(path, Descriptor::Mode::kRead);
  std::vector<char> block(kBlockBytes);
  BlockDigests digests;
  for (;;) {
    const std::size_t n = file.read_at(block.data(), block.size(), digests.bytes);
    if (n > 0) digests.blocks.push_back(digest(block.data(), n));
    digests.bytes += n;
    if (n < block.size()) return digests;
  }
}

void verify_blocks(const fs::path& file, const BlockDigests& digests, const std::string& hint) {
  if (!fs::exists(file)) throw DataError({file.string(), "", "", ""}, "is missing", hint);
  const std::uint64_t bytes = Descriptor(file, Descriptor::Mode::kRead).size();
  if (bytes != digests.bytes)
    throw DataError({file.string(), fmt::format("byte {}", std::min(bytes, digests.bytes)),
                     fmt::format("{} bytes", digests.bytes), std::to_string(bytes)},
                    bytes < digests.bytes ? "is cut short" : "has grown", hint);
  const std::vector<std::string> found = digest_blocks(file).blocks;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const bool known = i < digests.blocks.size();
    if (known && found[i] == digests.blocks[i]) continue;
    throw DataError({file.string(),
                     fmt::format("bytes {} to {}", i * kBlockBytes,
                                 std::min<std::uint64_t>(bytes, (i + 1) * kBlockBytes) - 1),
                     known ? "digest " + digests.blocks[i] : "no such block", found[i]},
                    "is damaged", hint);
  }
}

}  // namespace cellmill::io
