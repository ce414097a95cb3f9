#include "nn/multinomial.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <catch2/catch.hpp>

using namespace cellmill;

namespace {

nn::Csr sparse(const at::Tensor& dense) {
  auto indptr = at::zeros({dense.size(0) + 1}, at::kLong);
  indptr.slice(0, 1).copy_((dense != 0).sum(1).cumsum(0));
  return {indptr, dense.nonzero().select(1, 1).to(at::kInt).contiguous(),
          dense.masked_select(dense != 0), dense.size(1)};
}

}  // namespace

CATCH_TEST_CASE("sparse counts under logits are as likely as dense ones", "[multinomial]") {
  at::manual_seed(2);
  for (const auto type : {at::kDouble, at::kFloat}) {
    for (const auto& [rows, genes] : {std::pair{70, 3000}, std::pair{1, 5}, std::pair{0, 9}}) {
      CATCH_INFO(rows << " cells, " << genes << " genes");
      auto counts = at::randint(0, 5, {rows, genes}, type) * (at::rand({rows, genes}) < 0.1);
      if (rows > 2) counts[2].zero_();
      auto ours = (3 * at::randn({rows, genes}, type)).set_requires_grad(true);
      auto theirs = ours.detach().clone().set_requires_grad(true);
      const auto weight = at::rand({rows}, type);
      const auto got = nn::multinomial_nll(sparse(counts), ours);
      const auto expected = -(counts * at::log_softmax(theirs, 1)).sum(1);
      (got * weight).sum().backward();
      (expected * weight).sum().backward();
      const double allowed = type == at::kDouble ? 1e-12 : 1e-5;
      CATCH_CHECK(at::allclose(got, expected, allowed, allowed));
      CATCH_CHECK(at::allclose(ours.grad(), theirs.grad(), allowed, allowed));
      const at::NoGradGuard no_gradients;
      CATCH_CHECK(at::equal(nn::multinomial_nll(sparse(counts), ours), got));
    }
  }
}
