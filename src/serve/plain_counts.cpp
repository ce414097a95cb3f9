#include "serve/plain_counts.h"

#include <bit>
#include <cstring>

#include "base/instruction_sets.h"

namespace cellmill::serve {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::uint64_t kOnes = 0x0101010101010101;

// How many of the eight characters are digits before the first that is none.
int leading_digits(std::uint64_t eight) {
  const std::uint64_t digits = eight ^ (kOnes * '0');  // 0 to 9 where there was a digit
  return std::countr_zero(((digits + kOnes * 0x76) | digits) & (kOnes * 0x80)) / 8;
}

// Of eight digits, the first of which stands in the lowest byte.
std::uint32_t number_of(std::uint64_t eight) {
  eight = (eight & (kOnes * 0x0f)) * 2561 >> 8;
  eight = (eight & 0x00ff00ff00ff00ff) * 6553601 >> 16;
  return static_cast<std::uint32_t>((eight & 0x0000ffff0000ffff) * 42949672960001 >> 32);
}

// Characters between two numbers.
int step_of(const char* text) {
  const char* comma = text + 1 + std::strspn(text + 1, "0123456789");
  return *comma == ',' && comma[1] == ' ' ? 2 : 1;
}

}  // namespace

const char* read_plain_counts_portably(const char* text, std::size_t genes, Counts& out) {
  if (*text != '[') return nullptr;
  out.genes.resize(genes);
  out.values.resize(genes);
  // With steps of one length the next number's place waits for nothing but this one's digits.
  const int step = step_of(text++);
  std::size_t found = 0;
  for (std::size_t gene = 0; gene < genes; ++gene) {
    std::uint64_t eight;
    std::memcpy(&eight, text, sizeof eight);
    const int digits = leading_digits(eight);
    if (digits == 0 || digits > 7 || (*text == '0' && digits > 1)) return nullptr;
    const std::uint32_t count = number_of(eight << (8 * (8 - digits)));
    out.genes[found] = static_cast<std::int32_t>(gene);
    out.values[found] = static_cast<float>(count);
    found += count > 0;
    text += digits;
    if (gene + 1 == genes) break;
    if (*text != ',' || (step == 2 && text[1] != ' ')) return nullptr;
    text += step;
  }
  if (*text != ']') return nullptr;
  out.genes.resize(found);
  out.values.resize(found);
  return found > 0 ? text + 1 : nullptr;
}

#ifdef CELLMILL_AVX512
bool can_read_counts_avx512() {
  static const bool can =
      has_avx512() && __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2");
  return can;
}

const char* read_plain_counts(const char* text, std::size_t genes, Counts& out) {
  if (!can_read_counts_avx512()) return read_plain_counts_portably(text, genes, out);
  if (*text != '[') return nullptr;
  constexpr std::size_t kRoom = 8;
  out.genes.resize(genes + kRoom);
  out.values.resize(genes + kRoom);
  std::size_t found = 0;
  const char* end = read_plain_counts_avx512(text, step_of(text), genes, out.genes.data(),
                                             out.values.data(), found);
  if (!end || found == 0) return nullptr;
  out.genes.resize(found);
  out.values.resize(found);
  return end;
}
#else
bool can_read_counts_avx512() { return false; }

const char* read_plain_counts(const char* text, std::size_t genes, Counts& out) {
  return read_plain_counts_portably(text, genes, out);
}
#endif

}  // namespace cellmill::serve
