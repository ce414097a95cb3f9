#include "nn/packed_layers.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <catch2/catch.hpp>

#include "sparse_cells.h"

using namespace cellmill;

namespace {

struct Encoder {
  std::int64_t width, inner;
  nn::EncoderForm form;
  std::vector<nn::EncoderLayerWeights> layers = {};

  void fill(int count) {
    const auto linear = [](std::int64_t out, std::int64_t in) {
      return nn::LinearWeights{at::randn({out, in}).div_(std::sqrt(in)), at::randn({out})};
    };
    const auto norm = [&] { return nn::NormWeights{at::rand({width}) + 0.5, at::randn({width})}; };
    for (int k = 0; k < count; ++k)
      layers.push_back({linear(3 * width, width), linear(width, width), norm(),
                        linear(inner, width), linear(width, inner), norm()});
  }
  at::Tensor plain(const at::Tensor& x, const nn::Offsets& offsets, std::int64_t count) const {
    auto out = x.to(at::kDouble);
    const auto wide = [](const auto& w) {
      return std::decay_t<decltype(w)>{w.weight.to(at::kDouble), w.bias.to(at::kDouble)};
    };
    for (std::int64_t k = 0; k < count; ++k) {
      const auto& w = layers[static_cast<std::size_t>(k)];
      const auto& [qkv, output, attention_norm, up, down, norm] = w;
      const auto attended = nn::plain_attention(at::linear(out, wide(qkv).weight, wide(qkv).bias),
                                                offsets, form.heads);
      const auto a =
          nn::layer_norm(out + at::linear(attended, wide(output).weight, wide(output).bias),
                         wide(attention_norm), form.epsilon);
      const auto inner =
          nn::activate(at::linear(a, wide(up).weight, wide(up).bias), form.activation);
      out = nn::layer_norm(a + at::linear(inner, wide(down).weight, wide(down).bias), wide(norm),
                           form.epsilon);
    }
    return out;
  }
};

}  // namespace

CATCH_TEST_CASE("packed layers equal the plain ones, for any widths, lengths and depths", "[nn]") {
  at::manual_seed(11);
  for (auto encoder : {Encoder{256, 512, {4, nn::Activation::kRelu, 1e-12}},
                       Encoder{64, 160, {2, nn::Activation::kGelu, 1e-5}},
                       Encoder{48, 16, {3, nn::Activation::kRelu, 1e-12}},
                       Encoder{16, 304, {1, nn::Activation::kGelu, 1e-12}}}) {
    encoder.fill(3);
    if (!nn::PackedLayers::fit(nn::float_encoder(), encoder.layers)) return;
    nn::PackedLayers packed(nn::float_encoder(), encoder.layers, encoder.form);
    for (const nn::Offsets& offsets :
         {nn::Offsets{0, 1}, {0, 5, 5, 101}, {0}, {0, 96, 300, 301}, {0, 7}}) {
      const auto x = at::randn({offsets.back(), encoder.width});
      for (const std::int64_t count : {0, 1, 3})
        CATCH_CHECK(nn::distance(packed.run(x, offsets, count), encoder.plain(x, offsets, count)) <
                    2e-6);
    }
  }
}

CATCH_TEST_CASE("packed layers of bfloat16 pairs are as near as bfloat16 allows", "[nn]") {
  at::manual_seed(14);
  const auto kernels = nn::emulated_pairs_encoder();
  for (auto encoder : {Encoder{256, 512, {4, nn::Activation::kRelu, 1e-12}},
                       Encoder{64, 160, {2, nn::Activation::kGelu, 1e-5}},
                       Encoder{48, 16, {3, nn::Activation::kRelu, 1e-12}}}) {
    encoder.fill(3);
    if (!nn::PackedLayers::fit(kernels, encoder.layers)) return;
    nn::PackedLayers packed(kernels, encoder.layers, encoder.form);
    for (const nn::Offsets& offsets : {nn::Offsets{0, 1}, {0, 5, 5, 101}, {0, 96, 300, 301}}) {
      const auto x = at::randn({offsets.back(), encoder.width});
      const auto out = packed.run(x, offsets, 3);
      CATCH_CHECK(out.scalar_type() == at::kFloat);
      CATCH_CHECK(nn::distance(out, encoder.plain(x, offsets, 3)) < 0.01);
    }
  }
}

CATCH_TEST_CASE("the kernels of bfloat16 are those that the processor has", "[nn]") {
  const auto kernels = nn::bfloat16_encoder();
  CATCH_CHECK((kernels.layer == nullptr) == (kernels.head == nullptr));
  if (kernels.layer) CATCH_CHECK(kernels.layer->values <= 2);
  if (!nn::float_encoder().layer) CATCH_CHECK(kernels.layer == nullptr);
}

CATCH_TEST_CASE("packed layers give a sequence the same bits alone and on any threads", "[nn]") {
  at::manual_seed(12);
  Encoder encoder{128, 256, {2, nn::Activation::kGelu, 1e-12}};
  encoder.fill(2);
  if (!nn::PackedLayers::fit(nn::float_encoder(), encoder.layers)) return;
  nn::PackedLayers packed(nn::float_encoder(), encoder.layers, encoder.form);
  const nn::Offsets offsets = {0, 131, 150, 400};
  const auto x = at::randn({400, encoder.width});
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const auto out = packed.run(x, offsets, 2).clone();
  at::set_num_threads(3);
  CATCH_CHECK(at::equal(packed.run(x, offsets, 2), out));
  at::set_num_threads(before);
  for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
    const auto n = offsets[i + 1] - offsets[i];
    CATCH_CHECK(
        at::equal(packed.run(x.narrow(0, offsets[i], n), {0, n}, 2), out.narrow(0, offsets[i], n)));
  }
}

CATCH_TEST_CASE("packed layers keep what is not a number in its sequence", "[nn]") {
  at::manual_seed(13);
  Encoder encoder{64, 64, {1, nn::Activation::kRelu, 1e-12}};
  encoder.fill(1);
  if (!nn::PackedLayers::fit(nn::float_encoder(), encoder.layers)) return;
  nn::PackedLayers packed(nn::float_encoder(), encoder.layers, encoder.form);
  auto x = at::randn({30, 64});
  x[3][5].fill_(std::nan(""));
  const auto out = packed.run(x, {0, 10, 30}, 1);
  CATCH_CHECK(out.narrow(0, 0, 10).isnan().all().item<bool>());
  CATCH_CHECK(out.narrow(0, 10, 20).isfinite().all().item<bool>());
}

CATCH_TEST_CASE("layers that the kernels do not take are not packed", "[nn]") {
  for (auto encoder : {Encoder{20, 32, {1}}, Encoder{32, 20, {1}}}) {
    encoder.fill(1);
    CATCH_CHECK_FALSE(nn::PackedLayers::fit(nn::float_encoder(), encoder.layers));
  }
  Encoder encoder{32, 32, {1}};
  encoder.fill(1);
  encoder.layers[0].up.weight = encoder.layers[0].up.weight.to(at::kBFloat16);
  CATCH_CHECK_FALSE(nn::PackedLayers::fit(nn::float_encoder(), encoder.layers));
}
