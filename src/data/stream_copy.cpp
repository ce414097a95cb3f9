#include "data/stream_copy.h"

#include <cstdint>
#include <cstring>

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define CELLMILL_STREAM 1
#endif

namespace cellmill::data {

#ifdef CELLMILL_STREAM
namespace {

constexpr std::size_t kLine = 64;

__attribute__((target("avx"))) void copy_lines(char* to, const char* from, std::size_t lines) {
  for (; lines > 0; --lines, to += kLine, from += kLine) {
    const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + 32));
    _mm256_stream_si256(reinterpret_cast<__m256i*>(to), a);
    _mm256_stream_si256(reinterpret_cast<__m256i*>(to + 32), b);
  }
  _mm_sfence();  // a lock orders ordinary stores alone
}

}  // namespace
#endif

void stream_copy(void* to, const void* from, std::size_t bytes) {
#ifdef CELLMILL_STREAM
  if (bytes >= 16 * kLine && __builtin_cpu_supports("avx")) {
    auto* into = static_cast<char*>(to);
    const auto* source = static_cast<const char*>(from);
    const std::size_t head = (kLine - reinterpret_cast<std::uintptr_t>(into) % kLine) % kLine;
    std::memcpy(into, source, head);
    const std::size_t lines = (bytes - head) / kLine;
    copy_lines(into + head, source + head, lines);
    const std::size_t done = head + lines * kLine;
    std::memcpy(into + done, source + done, bytes - done);
    return;
  }
#endif
  std::memcpy(to, from, bytes);
}

}  // namespace cellmill::data
