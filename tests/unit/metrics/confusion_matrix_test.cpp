#include "metrics/confusion_matrix.h"

#include <ATen/ATen.h>

#include <catch2/catch.hpp>

using cellmill::metrics::ConfusionMatrix;

// Expected numbers: sklearn.metrics.accuracy_score and f1_score(average="macro") on the known
// cells.
CATCH_TEST_CASE("accuracy and macro-F1 as scikit-learn has them", "[confusion_matrix]") {
  ConfusionMatrix matrix(5);
  matrix.update(at::tensor({0, 1, 2, 2, 1, 0, 3}, at::kLong),
                at::tensor({0, 1, 2, 1, 1, 2, -1}, at::kLong));
  CATCH_CHECK(matrix.accuracy() == Approx(4.0 / 6));
  CATCH_CHECK(matrix.macro_f1() == Approx((2.0 / 3 + 4.0 / 5 + 1.0 / 2) / 3));
}

CATCH_TEST_CASE("parts merge to the whole", "[confusion_matrix]") {
  const auto predicted = at::tensor({0, 1, 2, 2, 1, 0}, at::kLong),
             truth = at::tensor({0, 2, 2, 1, 1, -1}, at::kLong);
  ConfusionMatrix whole(3), left(3), right(3);
  whole.update(predicted, truth);
  left.update(predicted.slice(0, 0, 2), truth.slice(0, 0, 2));
  right.update(predicted.slice(0, 2), truth.slice(0, 2));
  left.merge(right.state());
  CATCH_CHECK(at::equal(whole.state(), left.state()));
  CATCH_CHECK(left.macro_f1() == whole.macro_f1());
}

CATCH_TEST_CASE("nothing known scores zero", "[confusion_matrix]") {
  ConfusionMatrix matrix(2);
  matrix.update(at::tensor({0, 1}, at::kLong), at::tensor({-1, -1}, at::kLong));
  CATCH_CHECK(matrix.accuracy() == 0);
  CATCH_CHECK(matrix.macro_f1() == 0);
}
