#include "io/digest.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <vector>

#include "base/format.h"
#include "io/descriptor.h"
#include "io/digest_avx2.h"
#include "io/row_code_avx2.h"

namespace cellmill::io {

struct Digester::State {
  alignas(64) XXH3_state_t xxh3;
};

Digester::Digester() : state_(std::make_unique<State>()) { XXH3_64bits_reset(&state_->xxh3); }
Digester::~Digester() = default;

void Digester::add(const void* data, std::size_t bytes) {
  XXH3_64bits_update(&state_->xxh3, data, bytes);
}

std::string Digester::value() const {
  return fmt::format("{:016x}", XXH3_64bits_digest(&state_->xxh3));
}

std::uint64_t digest_number(const void* data, std::size_t bytes, std::uint64_t seed) {
  static const bool fast = avx2::supported();
  return fast ? avx2::digest_number(data, bytes, seed) : XXH3_64bits_withSeed(data, bytes, seed);
}

std::string digest(const void* data, std::size_t bytes) {
  return fmt::format("{:016x}", XXH3_64bits(data, bytes));
}

std::string digest_file(const std::string& path) {
  Descriptor file(path, Descriptor::Mode::kRead);
  Digester digester;
  std::vector<char> piece(1 << 20);
  std::uint64_t offset = 0;
  while (std::size_t n = file.read_at(piece.data(), piece.size(), offset)) {
    digester.add(piece.data(), n);
    offset += n;
  }
  return digester.value();
}

}  // namespace cellmill::io
