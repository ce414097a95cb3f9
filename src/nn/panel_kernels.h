#pragma once
// Products of rows with a panel, [depth, kPanel] of a matrix's numbers in one piece (see
// nn/packed_matrix.h), by instruction set: float32, one thread, no allocation. Every sum runs
// through the panel from its first row to its last, so that entries and dense rows with the same
// values give the same bits.
#include <cstdint>

#include "nn/sparse_kernels.h"

namespace cellmill::nn {

/// Of rows r, the entries [begin[r], end[r]) of a CSR matrix; `index` is a row of the panel.
struct RowEntries {
  const std::int32_t* index;
  const float* value;
  const std::int64_t *begin, *end;
};

/// What is read after this: lines of 64 bytes that come to the cache meanwhile.
struct Ahead {
  const float* next;
  std::int64_t lines;
};

/// Rows [rows, kPanel] to add to, `stride` apart.
struct PanelSums {
  float* values;
  std::int64_t stride, rows;
};

struct PanelKernels {
  /// y[r] += sum of value * panel[index] over the entries of row r.
  void (*entries)(const RowEntries& x, const float* panel, Ahead ahead, PanelSums y);
  /// y[r] += sum over k < depth of x[r, k] * panel[k]; rows of x are `stride` apart.
  void (*dense)(const float* x, std::int64_t stride, std::int64_t depth, const float* panel,
                Ahead ahead, PanelSums y);
};

extern const PanelKernels kPortablePanels;
/// To be called only where the processor has AVX-512.
extern const PanelKernels kAvx512Panels;
/// The best that this processor has.
const PanelKernels& panel_kernels();

}  // namespace cellmill::nn
