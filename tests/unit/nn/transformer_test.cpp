#include "nn/transformer.h"

#include <ATen/ATen.h>
#include <torch/autograd.h>

#include <catch2/catch.hpp>

#include "../cuda_device.h"
#include "nn/keyed_dropout.h"
#include "nn/trained_attention.h"

namespace cellmill::nn {
namespace {

constexpr std::int64_t kWidth = 12, kHeads = 3;

at::Tensor drawn(at::IntArrayRef shape, std::uint64_t seed, at::ScalarType dtype = at::kDouble) {
  auto random = at::detail::createCPUGenerator(seed);
  return at::randn(shape, random, dtype);
}

at::Tensor keys_of(std::int64_t tokens) { return at::arange(100, 100 + tokens, at::kLong); }

double difference(const at::Tensor& a, const at::Tensor& b) {
  CATCH_REQUIRE(a.sizes() == b.sizes());
  return a.numel() ? (a - b).abs().max().item<double>() : 0;
}

EncoderLayerWeights layer(at::ScalarType dtype = at::kDouble) {
  std::uint64_t seed = 0;
  const auto linear = [&](std::int64_t out, std::int64_t in) {
    const auto weight = drawn({out, in}, ++seed, dtype) / 3, bias = drawn({out}, ++seed, dtype);
    return LinearWeights{weight, bias};
  };
  const auto norm = [&] {
    const auto weight = drawn({kWidth}, ++seed, dtype), bias = drawn({kWidth}, ++seed, dtype);
    return NormWeights{weight, bias};
  };
  EncoderLayerWeights w;
  w.qkv = linear(3 * kWidth, kWidth);
  w.output = linear(kWidth, kWidth);
  w.attention_norm = norm();
  w.up = linear(20, kWidth);
  w.down = linear(kWidth, 20);
  w.norm = norm();
  return w;
}

/// Queries of some, none and all tokens of a sequence; one sequence of more than a block.
struct Case {
  Offsets offsets = {0, 5, 5, 6, 306}, queries = {0, 2, 2, 3, 260};
  at::Tensor query = drawn({260, kWidth}, 1), key_value = drawn({306, 2 * kWidth}, 2);
};

/// What f makes of the inputs, and their gradients, on the host.
template <class F>
std::vector<at::Tensor> gradients(const F& f, std::vector<at::Tensor> inputs) {
  for (auto& input : inputs) input = input.detach().clone().set_requires_grad(true);
  const auto out = f(inputs);
  (out * drawn(out.sizes(), 9).to(out.options())).sum().backward();
  std::vector<at::Tensor> all = {out.detach().cpu()};
  for (const auto& input : inputs) all.push_back(input.grad().cpu());
  return all;
}

}  // namespace

CATCH_TEST_CASE("trained attention is its definition, with gradients and dropout") {
  const Case c;
  for (const double rate : {0., 0.3}) {
    const AttentionDropout dropout{keys_of(260), 4, rate};
    const auto got = gradients(
        [&](const auto& x) {
          return trained_attention(x[0], c.queries, x[1], c.offsets, kHeads, dropout);
        },
        {c.query, c.key_value});
    const auto expected = gradients(
        [&](const auto& x) {
          return plain_trained_attention(x[0], c.queries, x[1], c.offsets, kHeads, dropout);
        },
        {c.query, c.key_value});
    CATCH_INFO("rate " << rate);
    for (std::size_t k = 0; k < got.size(); ++k)
      CATCH_CHECK(difference(got[k], expected[k]) < (rate > 0 ? 1e-7 : 1e-10));  // masks: float32
  }
}

CATCH_TEST_CASE("attention on CUDA is its definition on the CPU, with gradients and dropout",
                "[cuda]") {
  if (no_cuda_device()) return;
  const Case c;
  for (const double rate : {0., 0.3}) {
    const AttentionDropout dropout{keys_of(260), 4, rate};
    const auto attend = [&](const auto& x) {
      return trained_attention(x[0], c.queries, x[1], c.offsets, kHeads, dropout);
    };
    const auto got = gradients(
        attend, {c.query.to(at::kCUDA, at::kFloat), c.key_value.to(at::kCUDA, at::kFloat)});
    const auto expected = gradients(attend, {c.query, c.key_value});
    CATCH_INFO("rate " << rate);
    for (std::size_t k = 0; k < got.size(); ++k)
      CATCH_CHECK(difference(got[k], expected[k]) < 1e-4);
  }
  const auto qkv = drawn({306, 3 * 64}, 5);
  const auto expected =
      gradients([&](const auto& x) { return plain_attention(x[0], c.offsets, 2); }, {qkv});
  for (const auto& [dtype, far] :
       {std::pair{at::kDouble, 1e-12}, {at::kFloat, 1e-4}, {at::kBFloat16, 0.1}}) {
    const auto got = gradients([&](const auto& x) { return packed_attention(x[0], c.offsets, 2); },
                               {qkv.to(at::kCUDA, dtype)});
    CATCH_INFO(c10::toString(dtype));
    for (std::size_t k = 0; k < got.size(); ++k) CATCH_CHECK(difference(got[k], expected[k]) < far);
  }
}

CATCH_TEST_CASE("trained attention of all tokens is packed attention") {
  const Case c;
  const auto qkv = drawn({306, 3 * kWidth}, 3);
  const auto got = trained_attention(qkv.narrow(1, 0, kWidth), c.offsets,
                                     qkv.narrow(1, kWidth, 2 * kWidth), c.offsets, kHeads);
  CATCH_CHECK(difference(got, plain_attention(qkv, c.offsets, kHeads)) < 1e-12);
}

CATCH_TEST_CASE("a keep mask is a function of key and place, and drops its rate") {
  const auto mask = keep_mask(keys_of(400), 7, 101, 0.1);
  CATCH_CHECK(keep_mask(keys_of(400).slice(0, 30, 40), 7, 101, 0.1).equal(mask.slice(0, 30, 40)));
  CATCH_CHECK_FALSE(keep_mask(keys_of(400), 8, 101, 0.1).equal(mask));
  const double dropped = (mask == 0).to(at::kDouble).mean().item<double>();
  CATCH_CHECK(std::abs(dropped - 0.1) < 0.005);  // 40,400 draws: three deviations
  CATCH_CHECK(std::abs(mask.max().item<double>() - 1 / 0.9) < 1e-4);
  for (const auto axis : {0, 1}) {  // neighbours know nothing of each other
    const auto a = (mask.narrow(axis, 0, 100) == 0), b = (mask.narrow(axis, 1, 100) == 0);
    const double both = (a & b).to(at::kDouble).mean().item<double>();
    CATCH_CHECK(std::abs(both - 0.01) < 0.003);
  }
}

CATCH_TEST_CASE("a keep mask drawn by the device has the bits of the host's") {
  for (const std::int64_t width : {1, 4, 7, 130})
    for (const double rate : {0.02, 0.5})
      CATCH_CHECK(drawn_keep_mask(keys_of(90) * -7919, 3, width, rate, at::kCPU)
                      .equal(keep_mask(keys_of(90) * -7919, 3, width, rate)));
  if (no_cuda_device()) return;
  CATCH_CHECK(keep_mask(keys_of(90), 3, 130, 0.02, at::kCUDA)
                  .cpu()
                  .equal(keep_mask(keys_of(90), 3, 130, 0.02)));
}

CATCH_TEST_CASE("a layer of packed sequences is that of padded ones") {
  const auto w = layer();
  const EncoderForm form{kHeads, GENERATE(Activation::kRelu, Activation::kGelu), 1e-12};
  const Offsets offsets = {0, 4, 5, 11};
  const auto x = drawn({11, kWidth}, 20);
  const auto packed = encoder_layer(w, x, offsets, form);
  auto padded = drawn({3, 6, kWidth}, 21);
  auto mask = at::zeros({3, 6}, at::kBool);
  for (std::int64_t i = 0; i < 3; ++i) {
    const auto begin = offsets[static_cast<std::size_t>(i)];
    const auto length = offsets[static_cast<std::size_t>(i) + 1] - begin;
    padded[i].narrow(0, 0, length).copy_(x.narrow(0, begin, length));
    mask[i].narrow(0, 0, length).fill_(true);
  }
  const auto rows = mask.flatten().nonzero().flatten();
  const auto twin = padded_encoder_layer(w, padded, mask.view({3, 1, 1, 6}), form);
  CATCH_CHECK(difference(packed, twin.flatten(0, 1).index_select(0, rows)) < 1e-12);

  const auto trained = trained_encoder_layer(w, x, offsets, form, {});
  CATCH_CHECK(difference(trained, packed) < 1e-12);
  const EncoderDropout dropout{0.2, 0.2, keys_of(11), 1};
  const ChosenRows chosen{at::tensor({1, 3, 9}, at::kLong), {0, 2, 2, 3}};
  const auto all = trained_encoder_layer(w, x, offsets, form, dropout);
  CATCH_CHECK(difference(all, packed) > 0.1);
  CATCH_CHECK(difference(trained_encoder_layer(w, x, offsets, form, dropout, &chosen),
                         all.index_select(0, chosen.rows)) < 1e-12);
}

CATCH_TEST_CASE("linear layers in bfloat16 leave sums and norms in float32") {
  auto w = layer(at::kFloat);
  const EncoderForm form{kHeads, Activation::kRelu, 1e-12};
  const auto x = drawn({7, kWidth}, 22, at::kFloat);
  const auto wide = encoder_layer(w, x, {0, 7}, form);
  for (auto* linear : {&w.qkv, &w.output, &w.up, &w.down})
    *linear = {linear->weight.to(at::kBFloat16), linear->bias.to(at::kBFloat16)};
  const auto half = encoder_layer(w, x, {0, 7}, form);
  CATCH_CHECK(half.scalar_type() == at::kFloat);
  CATCH_CHECK(difference(half, wide) < 0.1);
  CATCH_CHECK(difference(half, wide) > 0);
}

}  // namespace cellmill::nn
