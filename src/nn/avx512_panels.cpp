#include "base/instruction_sets.h"
#include "nn/panel_kernels.h"

#ifdef CELLMILL_AVX512
#include <immintrin.h>

#pragma GCC push_options
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"  // gcc 12 warns of its own intrinsics
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,fma")

namespace cellmill::nn {
namespace {

constexpr std::int64_t kLanes = 16;
constexpr int kColumns = kPanel / kLanes;
constexpr std::int64_t kTile = 6;  // rows: with four columns their sums take 24 of 32 registers

/// Some lines of what comes next, at every step of a loop of `steps`.
class Fetch {
 public:
  [[gnu::always_inline]] Fetch(const Ahead& ahead, std::int64_t part, std::int64_t parts,
                               std::int64_t steps) {
    const auto begin = ahead.lines * part / parts, end = ahead.lines * (part + 1) / parts;
    next_ = ahead.next + begin * kLanes;
    step_ = (end - begin + steps - 1) / (steps > 0 ? steps : 1);
  }
  [[gnu::always_inline]] void step() {
    for (std::int64_t i = 0; i < step_; ++i, next_ += kLanes)
      _mm_prefetch(reinterpret_cast<const char*>(next_), _MM_HINT_T1);
  }

 private:
  const float* next_;
  std::int64_t step_;
};

struct Sum {
  __m512 column[kColumns];

  [[gnu::always_inline]] void load(const float* from) {
#pragma GCC unroll 4
    for (int c = 0; c < kColumns; ++c) column[c] = _mm512_loadu_ps(from + c * kLanes);
  }
  [[gnu::always_inline]] void store(float* to) const {
#pragma GCC unroll 4
    for (int c = 0; c < kColumns; ++c) _mm512_storeu_ps(to + c * kLanes, column[c]);
  }
  [[gnu::always_inline]] void add(float value, const float* row) {
    const __m512 v = _mm512_set1_ps(value);
#pragma GCC unroll 4
    for (int c = 0; c < kColumns; ++c)
      column[c] = _mm512_fmadd_ps(v, _mm512_loadu_ps(row + c * kLanes), column[c]);
  }
};

/// Two rows at a time: the sums of one would wait for each other.
void entries(const RowEntries& x, const float* panel, Ahead ahead, PanelSums y) {
  for (std::int64_t row = 0; row < y.rows; row += 2) {
    const bool pair = row + 1 < y.rows;
    auto a = x.begin[row], b = pair ? x.begin[row + 1] : 0;
    const auto a_end = x.end[row], b_end = pair ? x.end[row + 1] : 0;
    float* to = y.values + row * y.stride;
    Sum first, second;
    first.load(to);
    second.load(to + (pair ? y.stride : 0));
    const auto both = a_end - a < b_end - b ? a_end - a : b_end - b;
    const auto longer = a_end - a + (b_end - b) - both;
    Fetch fetch(ahead, row / 2, (y.rows + 1) / 2, longer);
    for (const auto end = a + both; a < end; ++a, ++b) {
      fetch.step();
      first.add(x.value[a], panel + x.index[a] * kPanel);
      second.add(x.value[b], panel + x.index[b] * kPanel);
    }
    for (; a < a_end; ++a, fetch.step()) first.add(x.value[a], panel + x.index[a] * kPanel);
    for (; b < b_end; ++b, fetch.step()) second.add(x.value[b], panel + x.index[b] * kPanel);
    first.store(to);
    if (pair) second.store(to + y.stride);
  }
}

template <int Rows>
void tile(const float* x, std::int64_t stride, std::int64_t depth, const float* panel, Fetch fetch,
          float* y, std::int64_t y_stride) {
  Sum sum[Rows];
#pragma GCC unroll 6
  for (int r = 0; r < Rows; ++r) sum[r].load(y + r * y_stride);
  for (std::int64_t k = 0; k < depth; ++k, panel += kPanel) {
    fetch.step();
    __m512 from[kColumns];
#pragma GCC unroll 4
    for (int c = 0; c < kColumns; ++c) from[c] = _mm512_loadu_ps(panel + c * kLanes);
#pragma GCC unroll 6
    for (int r = 0; r < Rows; ++r) {
      const __m512 v = _mm512_set1_ps(x[r * stride + k]);
#pragma GCC unroll 4
      for (int c = 0; c < kColumns; ++c)
        sum[r].column[c] = _mm512_fmadd_ps(v, from[c], sum[r].column[c]);
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < Rows; ++r) sum[r].store(y + r * y_stride);
}

constexpr decltype(&tile<1>) kTiles[kTile] = {tile<1>, tile<2>, tile<3>, tile<4>, tile<5>, tile<6>};

void dense(const float* x, std::int64_t stride, std::int64_t depth, const float* panel, Ahead ahead,
           PanelSums y) {
  const auto tiles = (y.rows + kTile - 1) / kTile;
  for (std::int64_t t = 0; t < tiles; ++t) {
    const auto begin = y.rows * t / tiles, end = y.rows * (t + 1) / tiles;
    kTiles[end - begin - 1](x + begin * stride, stride, depth, panel, Fetch(ahead, t, tiles, depth),
                            y.values + begin * y.stride, y.stride);
  }
}

}  // namespace

const PanelKernels kAvx512Panels = {entries, dense};

}  // namespace cellmill::nn
#pragma GCC diagnostic pop
#pragma GCC pop_options
#endif
