#include "nn/segment_kernels.h"

#include "base/instruction_sets.h"

namespace cellmill::nn {
namespace {

typedef float Lane __attribute__((vector_size(32), aligned(4), may_alias));
constexpr std::int64_t kLane = 8;

}  // namespace

CELLMILL_CLONES
void segment_forward(SegmentShape s, const float* x, const float* w, const float* bias, float* y) {
  const std::int64_t whole = s.in / kLane * kLane;
  for (std::int64_t o = 0; o < s.out; ++o) {
    const float* weight = w + o * s.in;
    for (std::int64_t r = 0; r < s.rows; ++r) {
      const float* from = x + r * s.in;
      Lane even{}, odd{};
      std::int64_t k = 0;
      for (; k + 2 * kLane <= whole; k += 2 * kLane) {
        even +=
            *reinterpret_cast<const Lane*>(weight + k) * *reinterpret_cast<const Lane*>(from + k);
        odd += *reinterpret_cast<const Lane*>(weight + k + kLane) *
               *reinterpret_cast<const Lane*>(from + k + kLane);
      }
      for (; k < whole; k += kLane)
        even +=
            *reinterpret_cast<const Lane*>(weight + k) * *reinterpret_cast<const Lane*>(from + k);
      even += odd;
      float sum = bias ? bias[o] : 0;
      for (int lane = 0; lane < kLane; ++lane) sum += even[lane];
      for (; k < s.in; ++k) sum += weight[k] * from[k];
      y[r * s.out + o] = sum;
    }
  }
}

CELLMILL_CLONES
void segment_input_gradient(SegmentShape s, const float* g, const float* w, float* gx) {
  for (std::int64_t r = 0; r < s.rows; ++r) {
    float* out = gx + r * s.in;
    for (std::int64_t k = 0; k < s.in; ++k) out[k] = 0;
    for (std::int64_t o = 0; o < s.out; ++o) {
      const float factor = g[r * s.out + o];
      const float* weight = w + o * s.in;
      for (std::int64_t k = 0; k < s.in; ++k) out[k] += factor * weight[k];
    }
  }
}

CELLMILL_CLONES
void segment_weight_gradient(SegmentShape s, const float* g, const float* x, float* gw, float* gb) {
  for (std::int64_t o = 0; o < s.out; ++o) {
    float* out = gw + o * s.in;
    float sum = g[o];
    for (std::int64_t k = 0; k < s.in; ++k) out[k] = g[o] * x[k];
    for (std::int64_t r = 1; r < s.rows; ++r) {
      const float factor = g[r * s.out + o];
      sum += factor;
      for (std::int64_t k = 0; k < s.in; ++k) out[k] += factor * x[r * s.in + k];
    }
    if (gb) gb[o] = sum;
  }
}

}  // namespace cellmill::nn
