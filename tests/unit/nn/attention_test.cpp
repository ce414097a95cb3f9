#include "nn/attention.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <catch2/catch.hpp>
#include <numeric>

#include "base/error.h"
#include "nn/attention_forward.h"
#include "sparse_cells.h"

using namespace cellmill;

namespace {

nn::Offsets offsets_of(const std::vector<std::int64_t>& lengths) {
  nn::Offsets offsets = {0};
  for (const auto length : lengths) offsets.push_back(offsets.back() + length);
  return offsets;
}

struct Case {
  std::vector<std::int64_t> lengths;
  std::int64_t heads, depth;
  nn::Offsets offsets() const { return offsets_of(lengths); }
  at::Tensor qkv() const {
    const auto tokens = std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0});
    return at::randn({tokens, 3 * heads * depth});
  }
};

at::Tensor exact(const at::Tensor& qkv, const nn::Offsets& offsets, std::int64_t heads) {
  return nn::plain_attention(qkv.to(at::kDouble), offsets, heads);
}

}  // namespace

CATCH_TEST_CASE("attention within packed sequences is softmax(Q K' / sqrt(D)) V by head", "[nn]") {
  at::manual_seed(1);
  const Case c{{3, 1, 2}, 2, 2};
  const auto qkv = c.qkv().to(at::kDouble), out = nn::plain_attention(qkv, c.offsets(), c.heads);
  const auto value = [&](std::int64_t token, std::int64_t part, std::int64_t head, std::int64_t d) {
    return qkv[token][(part * 2 + head) * 2 + d].item<double>();
  };
  for (const std::int64_t token : {0, 2, 3, 5})
    for (const std::int64_t head : {0, 1}) {
      const std::int64_t begin = token < 3 ? 0 : token == 3 ? 3 : 4;
      const std::int64_t end = token < 3 ? 3 : token == 3 ? 4 : 6;
      double total = 0, sum[2] = {};
      for (auto key = begin; key < end; ++key) {
        double score = 0;
        for (const int d : {0, 1}) score += value(token, 0, head, d) * value(key, 1, head, d);
        const double weight = std::exp(score / std::sqrt(2.0));
        total += weight;
        for (const int d : {0, 1}) sum[d] += weight * value(key, 2, head, d);
      }
      for (const int d : {0, 1})
        CATCH_CHECK(out[token][head * 2 + d].item<double>() == Approx(sum[d] / total));
    }
}

namespace {

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {{{1}, 1, 64},           {{5, 1, 0, 17, 64, 65, 0}, 4, 64},
                                        {{200, 7, 130}, 2, 32}, {{97, 96, 95}, 3, 96},
                                        {{33, 100}, 2, 20},     {{40, 3}, 1, 1},
                                        {{19, 80}, 3, 33},      {{50, 51}, 2, 128},
                                        {{1000, 2}, 1, 64},     {{4096}, 1, 64}};
  return all;
}

}  // namespace

CATCH_TEST_CASE("packed attention equals the plain one, for any lengths, heads and widths",
                "[nn]") {
  at::manual_seed(2);
  for (const auto& c : cases()) {
    const auto qkv = c.qkv();
    CATCH_CHECK(nn::distance(nn::packed_attention(qkv, c.offsets(), c.heads),
                             exact(qkv, c.offsets(), c.heads)) < 2e-6);
  }
}

CATCH_TEST_CASE("attention of bfloat16 is as near as bfloat16 allows", "[nn]") {
  at::manual_seed(5);
  for (const auto& c : cases()) {
    const auto qkv = c.qkv().to(at::kBFloat16);
    const auto expected = exact(qkv, c.offsets(), c.heads);
    const auto out = nn::packed_attention(qkv, c.offsets(), c.heads);
    CATCH_CHECK(out.scalar_type() == at::kBFloat16);
    CATCH_CHECK(nn::distance(out, expected) < 4e-3);
    if (const auto* pairs = nn::emulated_pairs_kernel())
      CATCH_CHECK(nn::distance(nn::attention_forward(*pairs, qkv, c.offsets(), c.heads), expected) <
                  4e-3);
  }
}

CATCH_TEST_CASE("pairs of bfloat16 that are exact give what float32 gives", "[nn]") {
  const auto* pairs = nn::emulated_pairs_kernel();
  if (!pairs) return;
  // Scores 0 or far apart: weights are powers of two, so that nothing is rounded on the way.
  for (const std::int64_t length : {1, 2, 3, 64, 65, 128}) {
    auto qkv = at::zeros({length, 3 * 32});
    qkv.narrow(1, 64, 32).copy_(at::arange(length * 32).view({length, 32}).remainder(64));
    const auto values = qkv.to(at::kBFloat16);
    CATCH_CHECK(at::equal(nn::attention_forward(*pairs, values, {0, length}, 1),
                          nn::plain_attention(qkv, {0, length}, 1).to(at::kBFloat16)));
    qkv.narrow(1, 0, 32).fill_(64);  // the last key takes all
    qkv[length - 1].narrow(0, 32, 32).fill_(64);
    CATCH_CHECK(
        at::equal(nn::attention_forward(*pairs, qkv.to(at::kBFloat16), {0, length}, 1),
                  qkv[length - 1].narrow(0, 64, 32).expand({length, 32}).to(at::kBFloat16)));
  }
}

CATCH_TEST_CASE("attention stands large scores, rising, falling and all far below zero", "[nn]") {
  at::manual_seed(6);
  const std::int64_t length = 300;
  for (const double size : {30.0, 1e3, -1e3, 1e6}) {
    auto qkv = at::randn({length, 3 * 64});
    qkv.narrow(1, 0, 64).fill_(1);
    auto keys = qkv.narrow(1, 64, 64);
    keys.mul_(0.01).add_(at::linspace(0.5, 1, length).unsqueeze(1) * (size / 64));
    for (const auto& x :
         {qkv, at::cat({qkv.narrow(1, 0, 64), keys.flip(0), qkv.narrow(1, 128, 64)}, 1)}) {
      const auto out = nn::packed_attention(x, {0, length}, 1);
      CATCH_CHECK(nn::distance(out, exact(x, {0, length}, 1)) < 1e-4 * std::max(1.0, size / 1e4));
    }
  }
}

CATCH_TEST_CASE("not a number stays in its sequence, and is not lost there", "[nn]") {
  auto qkv = at::ones({70, 3 * 64});
  qkv[10][64 + 5].fill_(std::nan(""));
  const auto out = nn::packed_attention(qkv, {0, 30, 70}, 1);
  CATCH_CHECK(out.narrow(0, 0, 30).isfinite().sum().item<std::int64_t>() == 0);
  CATCH_CHECK(at::equal(out.narrow(0, 30, 40), at::ones({40, 64})));
}

CATCH_TEST_CASE("attention has the same bits for any threads and any neighbours", "[nn]") {
  at::manual_seed(7);
  const Case c{{700, 3, 250}, 3, 64};
  const auto qkv = c.qkv();
  const auto offsets = c.offsets();
  if (!nn::kernel_for(qkv)) return;
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const auto out = nn::packed_attention(qkv, offsets, c.heads);
  for (const int threads : {2, 3}) {
    at::set_num_threads(threads);
    CATCH_CHECK(at::equal(nn::packed_attention(qkv, offsets, c.heads), out));
  }
  at::set_num_threads(before);
  for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
    const auto n = offsets[i + 1] - offsets[i];
    CATCH_CHECK(at::equal(nn::packed_attention(qkv.narrow(0, offsets[i], n), {0, n}, c.heads),
                          out.narrow(0, offsets[i], n)));
  }
}

CATCH_TEST_CASE("LibTorch's kernels, which other processors use, agree with ours", "[nn]") {
  at::manual_seed(8);
  const Case c{{5, 17, 17, 0, 64}, 4, 64};
  const auto qkv = c.qkv();
  const auto fused =
      nn::packed_attention(qkv.clone().set_requires_grad(true), c.offsets(), c.heads);
  CATCH_CHECK(nn::distance(nn::packed_attention(qkv, c.offsets(), c.heads), fused) < 1e-6);
}

CATCH_TEST_CASE("gradients of packed attention equal the plain one's", "[nn]") {
  at::manual_seed(3);
  for (const auto& c : {Case{{5, 1, 0, 17, 17, 64}, 4, 64}, {{33, 100}, 2, 20}}) {
    auto fast = c.qkv().set_requires_grad(true);
    auto plain = fast.detach().to(at::kDouble).set_requires_grad(true);
    const auto weights = at::randn({fast.size(0), c.heads * c.depth});
    (nn::packed_attention(fast, c.offsets(), c.heads) * weights).sum().backward();
    (nn::plain_attention(plain, c.offsets(), c.heads) * weights).sum().backward();
    CATCH_CHECK(nn::distance(fast.grad(), plain.grad()) < 2e-6);
  }
}

CATCH_TEST_CASE("no token at all is no error", "[nn]") {
  for (const auto& offsets : {nn::Offsets{0}, {0, 0, 0}})
    CATCH_CHECK(nn::packed_attention(at::empty({0, 24}), offsets, 2).sizes() ==
                at::IntArrayRef({0, 8}));
}

CATCH_TEST_CASE("attention refuses what is no packed batch, and says why", "[nn]") {
  const auto qkv = at::zeros({4, 24});
  const auto refused = [&](const at::Tensor& x, const nn::Offsets& offsets, std::int64_t heads,
                           const std::string& text) {
    CATCH_CHECK_THROWS_WITH(nn::packed_attention(x, offsets, heads), Catch::Contains(text));
    CATCH_CHECK_THROWS_WITH(nn::plain_attention(x, offsets, heads), Catch::Contains(text));
  };
  refused(qkv, {0, 5}, 2, "offsets of 4 tokens must rise from 0 to that number, not [0, 5]");
  refused(qkv, {0, 3, 2, 4}, 2, "not [0, 3, 2, 4]");
  refused(qkv, {1, 4}, 2, "not [1, 4]");
  refused(qkv, {}, 2, "not []");
  refused(qkv, {0, 4}, 5, "attention of 5 heads wants [tokens, 3 * heads * D]");
  refused(qkv, {0, 4}, 0, "attention of 0 heads");
  refused(qkv.to(at::kLong), {0, 4}, 2, "not [4, 24] of Long");
  refused(qkv[0], {0, 4}, 2, "not [24] of Float");
}
