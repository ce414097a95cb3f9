#include "comm/combine.h"

#include <algorithm>
#include <array>

#include "base/instruction_sets.h"

namespace cellmill::comm {
namespace {

template <class T>
void add(T* __restrict sum, const T* __restrict next, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) sum[i] = static_cast<T>(sum[i] + next[i]);
}

CELLMILL_CLONES
void add(float* __restrict sum, const float* __restrict next, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) sum[i] += next[i];
}

template <class T>
void take_larger(T* __restrict most, const T* __restrict next, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i)
    most[i] = next[i] > most[i] || next[i] != next[i] ? next[i] : most[i];
}

}  // namespace

template <class T>
void combine_in_order(const std::vector<T*>& targets, const std::vector<T*>& parts,
                      std::int64_t count, Op op) {
  constexpr std::int64_t kBlock = 2048;
  std::array<T, kBlock> result;
  for (std::int64_t begin = 0; begin < count; begin += kBlock) {
    const std::int64_t n = std::min(kBlock, count - begin);
    std::copy_n(parts[0] + begin, n, result.data());
    for (std::size_t k = 1; k < parts.size(); ++k) {
      if (op == Op::kSum)
        add(result.data(), parts[k] + begin, n);
      else
        take_larger(result.data(), parts[k] + begin, n);
    }
    for (T* target : targets) std::copy_n(result.data(), n, target + begin);
  }
}

template void combine_in_order(const std::vector<float*>&, const std::vector<float*>&, std::int64_t,
                               Op);
template void combine_in_order(const std::vector<double*>&, const std::vector<double*>&,
                               std::int64_t, Op);
template void combine_in_order(const std::vector<std::int64_t*>&, const std::vector<std::int64_t*>&,
                               std::int64_t, Op);
template void combine_in_order(const std::vector<std::uint8_t*>&, const std::vector<std::uint8_t*>&,
                               std::int64_t, Op);

}  // namespace cellmill::comm
