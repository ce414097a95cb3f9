// Attention on CUDA against its definition in float64 on the CPU: where this build and machine have
// a device.
#include <ATen/ATen.h>

#include <catch2/catch.hpp>

#include "nn/attention.h"
#include "nn/keyed_dropout.h"
#include "nn/trained_attention.h"
#include "sparse_cells.h"

using namespace cellmill;

namespace {

bool no_device() {
  if (at::hasCUDA() && at::detail::getCUDAHooks().deviceCount() > 0) return false;
  CATCH_SUCCEED("no CUDA device");
  return true;
}

/// What f makes of the inputs, and their gradients, on the host.
template <class F>
std::vector<at::Tensor> gradients(const F& f, std::vector<at::Tensor> inputs) {
  for (auto& input : inputs) input = input.detach().clone().set_requires_grad(true);
  const auto out = f(inputs);
  const auto weights = at::linspace(-1, 1, out.numel(), at::kDouble).view(out.sizes());
  (out * weights.to(out.options())).sum().backward();
  std::vector<at::Tensor> all = {out.detach().cpu()};
  for (const auto& input : inputs) all.push_back(input.grad().cpu());
  return all;
}

const nn::Offsets kOffsets = {0, 5, 5, 6, 306}, kAsking = {0, 2, 2, 3, 260};
constexpr std::int64_t kHeads = 3, kDepth = 64;

}  // namespace

CATCH_TEST_CASE("packed attention on CUDA equals the plain one", "[cuda]") {
  if (no_device()) return;
  at::manual_seed(1);
  const auto qkv = at::randn({306, 3 * kHeads * kDepth}, at::kDouble);
  const auto on = [&](at::ScalarType dtype) {
    return gradients([&](const auto& x) { return nn::packed_attention(x[0], kOffsets, kHeads); },
                     {qkv.to(at::kCUDA, dtype)});
  };
  const auto expected =
      gradients([&](const auto& x) { return nn::plain_attention(x[0], kOffsets, kHeads); }, {qkv});
  for (const auto& [dtype, far] :
       {std::pair{at::kDouble, 1e-12}, {at::kFloat, 1e-4}, {at::kBFloat16, 2e-2}}) {
    const auto got = on(dtype);
    CATCH_INFO(c10::toString(dtype));
    for (std::size_t k = 0; k < got.size(); ++k)
      CATCH_CHECK(nn::distance(got[k], expected[k]) < far);
  }
}

CATCH_TEST_CASE("trained attention on CUDA equals the plain one, with and without dropout",
                "[cuda]") {
  if (no_device()) return;
  at::manual_seed(2);
  const auto query = at::randn({260, kHeads * kDepth}, at::kDouble);
  const auto key_value = at::randn({306, 2 * kHeads * kDepth}, at::kDouble);
  for (const double rate : {0., 0.3}) {
    const nn::AttentionDropout dropout{at::arange(260, at::kLong), 4, rate};
    const auto expected = gradients(
        [&](const auto& x) {
          return nn::plain_trained_attention(x[0], kAsking, x[1], kOffsets, kHeads, dropout);
        },
        {query, key_value});
    const auto got = gradients(
        [&](const auto& x) {
          return nn::trained_attention(x[0], kAsking, x[1], kOffsets, kHeads, dropout);
        },
        {query.to(at::kCUDA, at::kFloat), key_value.to(at::kCUDA, at::kFloat)});
    CATCH_INFO("rate " << rate);
    for (std::size_t k = 0; k < got.size(); ++k)
      CATCH_CHECK(nn::distance(got[k], expected[k]) < 1e-4);
  }
}

CATCH_TEST_CASE("a keep mask has the same bits on CUDA", "[cuda]") {
  if (no_device()) return;
  const auto keys = at::arange(100, at::kLong) * 7919;
  CATCH_CHECK(
      nn::keep_mask(keys, 3, 130, 0.02, at::kCUDA).cpu().equal(nn::keep_mask(keys, 3, 130, 0.02)));
}
