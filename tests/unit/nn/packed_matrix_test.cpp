#include "nn/packed_matrix.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <catch2/catch.hpp>

#include "sparse_cells.h"

using namespace cellmill;

CATCH_TEST_CASE("products with a packed matrix equal plain ones, for any width and threads",
                "[nn]") {
  at::manual_seed(3);
  const int before = at::get_num_threads();
  for (const int threads : {1, 3})
    for (const auto& [depth, columns] : {std::pair{1, 1}, {70, 64}, {300, 65}, {128, 200}}) {
      at::set_num_threads(threads);
      const auto matrix = at::randn({columns, depth}), bias = at::randn({columns});
      const nn::PackedMatrix packed(matrix.t());
      CATCH_CHECK(packed.columns() == columns);
      for (const std::int64_t rows : {0, 1, 2, 3, 4, 7, 131}) {
        const auto x = nn::cells(rows, depth, rows % 2 ? 0.1 : 0.7, at::kFloat);
        const auto expected = at::linear(x, matrix, bias);
        for (const auto* kernels : {&nn::panel_kernels(), &nn::kPortablePanels}) {
          const auto dense = nn::multiply(x, packed, bias, *kernels);
          CATCH_CHECK(nn::distance(dense, expected) < 1e-6);
          CATCH_CHECK(at::equal(nn::multiply(nn::sparse(x), packed, bias, *kernels), dense));
        }
      }
    }
  at::set_num_threads(before);
}

CATCH_TEST_CASE("a row of a product with a packed matrix is the same alone, bit for bit", "[nn]") {
  const auto matrix = at::randn({300, 130}), bias = at::randn({130});
  const nn::PackedMatrix packed(matrix);
  const auto x = nn::cells(9, 300, 0.5, at::kFloat);
  const auto dense = nn::multiply(x, packed, bias);
  const auto sparse = nn::multiply(nn::sparse(x), packed, bias);
  for (std::int64_t row = 0; row < 9; ++row) {
    const auto alone = x.narrow(0, row, 1);
    CATCH_CHECK(at::equal(nn::multiply(alone, packed, bias), dense.narrow(0, row, 1)));
    CATCH_CHECK(at::equal(nn::multiply(nn::sparse(alone), packed, bias), sparse.narrow(0, row, 1)));
  }
}

CATCH_TEST_CASE("values are scaled and summed by row as their plain twins are", "[nn]") {
  const auto x = nn::sparse(nn::cells(5, 40, 0.5, at::kFloat));
  const auto factor = at::rand({5});
  CATCH_CHECK(at::equal(nn::scaled_values(x, factor),
                        x.values * factor.index_select(0, nn::entry_rows(x))));
  CATCH_CHECK(at::allclose(nn::row_sums(x), nn::densify(x, at::kDouble).sum(1)));
}
