#include "nn/packed_matrix.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

#include "nn/huge_pages.h"
#include "nn/shared_work.h"

namespace cellmill::nn {
namespace {

/// Rows of a panel whose 32 kB stay in the first-level cache; rows of x that share its reading,
/// few enough for their sums to stay in the second.
constexpr std::int64_t kStrip = 128, kRows = 128;

std::int64_t panels_of(std::int64_t columns) { return (columns + kPanel - 1) / kPanel; }

/// What is read after a strip: `next`, with so many rows of its panel left.
Ahead ahead_of(const float* next, std::int64_t rows) {
  return {next, std::clamp<std::int64_t>(rows, 0, kStrip) * kPanel / 16};
}

/// Rows [begin, end) of the entries of x, strip by strip.
class Strips {
 public:
  Strips(const Csr& x, const at::Tensor& index, std::int64_t begin, std::int64_t end)
      : indptr_(x.indptr.const_data_ptr<std::int64_t>() + begin),
        index_(index.const_data_ptr<std::int32_t>()),
        value_(x.values.const_data_ptr<float>()),
        to_(indptr_, indptr_ + (end - begin)) {}

  /// Of the columns below `column` that no call has had.
  RowEntries until(std::int64_t column) {
    from_ = to_;
    for (std::size_t row = 0; row < to_.size(); ++row)
      to_[row] = std::lower_bound(index_ + to_[row],
                                  index_ + std::min(indptr_[row + 1], to_[row] + kStrip), column) -
                 index_;
    return {index_, value_, from_.data(), to_.data()};
  }

 private:
  const std::int64_t* indptr_;
  const std::int32_t* index_;
  const float* value_;
  std::vector<std::int64_t> from_, to_;
};

/// Where sums are made, from the bias on: in the result, but for a last panel that is not full.
class Sums {
 public:
  Sums(const at::Tensor& bias, const at::Tensor& out)
      : bias_(bias.const_data_ptr<float>()),
        out_(out.mutable_data_ptr<float>()),
        columns_(out.size(1)) {}

  PanelSums begin(std::int64_t panel, std::int64_t row, std::int64_t rows) {
    const float* from = bias_ + panel * kPanel;
    if (width(panel) == kPanel) {
      const PanelSums in_place = {out_ + row * columns_ + panel * kPanel, columns_, rows};
      for (std::int64_t r = 0; r < rows; ++r)
        std::copy_n(from, kPanel, in_place.values + r * columns_);
      return in_place;
    }
    last_.assign(rows * kPanel, 0.f);
    for (std::int64_t r = 0; r < rows; ++r)
      std::copy_n(from, width(panel), last_.data() + r * kPanel);
    return {last_.data(), kPanel, rows};
  }
  void end(std::int64_t panel, std::int64_t row, const PanelSums& sums) {
    if (width(panel) == kPanel) return;
    for (std::int64_t r = 0; r < sums.rows; ++r)
      std::copy_n(sums.values + r * kPanel, width(panel),
                  out_ + (row + r) * columns_ + panel * kPanel);
  }

 private:
  std::int64_t width(std::int64_t panel) const {
    return std::min(kPanel, columns_ - panel * kPanel);
  }

  const float* bias_;
  float* out_;
  const std::int64_t columns_;
  std::vector<float> last_;  // [rows, kPanel]
};

/// `run(first, last)` over panels, in as many parts as there is work for with so many rows; a few
/// for each thread, since threads that do something else take turns with them.
template <class Run>
void for_panels(const PackedMatrix& matrix, std::int64_t rows, const Run& run) {
  constexpr std::int64_t kWork = 1 << 24;  // products: a tenth of a millisecond
  const auto panels = panels_of(matrix.columns());
  const auto worth = 1 + rows * matrix.rows() * matrix.columns() / kWork;
  const auto parts = std::min({4 * std::int64_t{at::get_num_threads()}, panels, worth});
  share_work(parts,
             [&](std::int64_t part) { run(panels * part / parts, panels * (part + 1) / parts); });
}

}  // namespace

PackedMatrix::PackedMatrix(const at::Tensor& matrix) : columns_(matrix.size(1)) {
  panels_ = huge_empty({panels_of(columns_), matrix.size(0), kPanel}, matrix.options());
  at::parallel_for(0, panels_.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto p = begin; p < end; ++p) {
      const auto width = std::min(kPanel, columns_ - p * kPanel);
      panels_[p].narrow(1, width, kPanel - width).zero_();
      panels_[p].narrow(1, 0, width).copy_(matrix.narrow(1, p * kPanel, width));
    }
  });
}

bool PackedMatrix::fits(const at::Tensor& matrix) {
  return matrix.is_cpu() && matrix.scalar_type() == at::kFloat && matrix.numel() > 0;
}

const float* PackedMatrix::panel(std::int64_t panel) const {
  return panels_.const_data_ptr<float>() + panel * rows() * kPanel;
}

at::Tensor multiply(const Csr& x, const PackedMatrix& matrix, const at::Tensor& bias,
                    const PanelKernels& kernels) {
  const auto index = x.indices.to(at::kInt), constant = bias.contiguous();
  const auto depth = matrix.rows();
  auto out = at::empty({x.rows(), matrix.columns()}, x.values.options());
  for_panels(matrix, x.rows(), [&](std::int64_t first, std::int64_t last) {
    Sums sums(constant, out);
    for (std::int64_t row = 0; row < x.rows(); row += kRows) {
      const auto end = std::min(row + kRows, x.rows());
      std::vector<PanelSums> made;
      for (auto panel = first; panel < last; ++panel)
        made.push_back(sums.begin(panel, row, end - row));
      Strips strips(x, index, row, end);
      for (std::int64_t strip = 0; strip < depth; strip += kStrip) {
        const auto entries = strips.until(strip + kStrip);
        for (auto panel = first; panel < last; ++panel) {
          const bool wrap = panel + 1 == last;
          const auto next = strip + (wrap ? kStrip : 0);
          kernels.entries(
              entries, matrix.panel(panel),
              ahead_of(matrix.panel(wrap ? first : panel + 1) + next * kPanel, depth - next),
              made[panel - first]);
        }
      }
      for (auto panel = first; panel < last; ++panel) sums.end(panel, row, made[panel - first]);
    }
  });
  return out;
}

at::Tensor multiply(const at::Tensor& x, const PackedMatrix& matrix, const at::Tensor& bias,
                    const PanelKernels& kernels) {
  const auto cells = x.contiguous(), constant = bias.contiguous();
  const auto depth = matrix.rows();
  auto out = at::empty({x.size(0), matrix.columns()}, x.options());
  for_panels(matrix, x.size(0), [&](std::int64_t first, std::int64_t last) {
    Sums sums(constant, out);
    for (std::int64_t row = 0; row < x.size(0); row += kRows) {
      const auto* from = cells.const_data_ptr<float>() + row * depth;
      for (auto panel = first; panel < last; ++panel) {
        const auto made = sums.begin(panel, row, std::min(kRows, x.size(0) - row));
        for (std::int64_t strip = 0; strip < depth; strip += kStrip) {
          const auto next = strip + kStrip;
          const auto left = next < depth ? depth - next : panel + 1 < last ? depth : 0;
          kernels.dense(from + strip, depth, std::min(kStrip, depth - strip),
                        matrix.panel(panel) + strip * kPanel,
                        ahead_of(matrix.panel(panel) + next * kPanel, left), made);
        }
        sums.end(panel, row, made);
      }
    }
  });
  return out;
}

}  // namespace cellmill::nn
