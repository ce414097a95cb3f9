#pragma once
// Linear layers of a few rows each, as a pool of contexts has them by the hundred: reading the
// weights is the cost, and a library call for each would cost more. float32, one thread, row-major,
// contiguous; weight [out, in].
#include <cstdint>

namespace cellmill::nn {

/// Segments of fewer rows than this are for these kernels; others for a matrix product.
inline constexpr std::int64_t kFewRows = 16;

struct SegmentShape {
  std::int64_t rows, in, out;
};

/// y = x w^T + bias; `bias` may be null.
void segment_forward(SegmentShape shape, const float* x, const float* w, const float* bias,
                     float* y);
/// gx = g w.
void segment_input_gradient(SegmentShape shape, const float* g, const float* w, float* gx);
/// gw = g^T x; gb = sums of g's columns, if not null.
void segment_weight_gradient(SegmentShape shape, const float* g, const float* x, float* gw,
                             float* gb);

}  // namespace cellmill::nn
