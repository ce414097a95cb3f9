// Attention without gradients, and whole layers of an encoder, beside LibTorch's (fused attention,
// oneDNN or MKL) and beside the machine's rate of a matrix product, all by turns: a line of JSON
// each, medians. `--quick` is for the guard in the tests.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/stopwatch.h"
#include "io/json.h"
#include "nn/attention_forward.h"
#include "nn/packed_layers.h"

namespace {

using namespace cellmill;

constexpr std::int64_t kHeads = 4, kWidth = 256, kInner = 512, kProduct = 2048;

struct Shape {
  std::int64_t length, cells;
  int repeats;
  std::int64_t tokens() const { return length * cells; }
  nn::Offsets offsets() const {
    nn::Offsets offsets;
    for (std::int64_t i = 0; i <= cells; ++i) offsets.push_back(i * length);
    return offsets;
  }
  double attention_flop() const {
    return 4.0 * static_cast<double>(length * length * kWidth * cells);
  }
  double product_flop() const {
    return 2.0 * static_cast<double>(tokens() * kWidth * (4 * kWidth + 2 * kInner));
  }
};

using Run = std::function<void()>;

/// Milliseconds.
std::vector<double> by_turns(const std::vector<Run>& runs, int repeats) {
  std::vector<std::vector<double>> times(runs.size());
  for (const auto& run : runs) run();
  for (int k = 0; k < repeats; ++k)
    for (std::size_t i = 0; i < runs.size(); ++i) {
      const Stopwatch watch;
      runs[i]();
      times[i].push_back(watch.seconds() * 1e3);
    }
  std::vector<double> medians;
  for (auto& t : times) {
    std::nth_element(t.begin(), t.begin() + repeats / 2, t.end());
    medians.push_back(t[static_cast<std::size_t>(repeats / 2)]);
  }
  return medians;
}

/// `fast` beside `plain` and a product of float32 matrices.
void compare(const std::string& name, const Shape& s, double flop, const Run& plain,
             const Run& fast) {
  const auto a = at::randn({kProduct, kProduct}), b = at::randn({kProduct, kProduct});
  const auto times = by_turns({[&] { at::mm(a, b); }, plain, fast}, s.repeats);
  const double limit = 2e-6 * kProduct * kProduct * kProduct / times[0];
  log::say(io::Json{{"benchmark", "kernel"},
                    {"name", name},
                    {"threads", at::get_num_threads()},
                    {"tokens", s.length},
                    {"cells", s.cells},
                    {"plain_ms", times[1]},
                    {"fast_ms", times[2]},
                    {"ratio", times[1] / times[2]},
                    {"fast_gflops", flop / times[2] * 1e-6},
                    {"product_gflops", limit},
                    {"of_product", flop / times[2] * 1e-6 / limit}}
               .dump());
}

void attention(const Shape& s, at::ScalarType type, const std::string& name) {
  const auto qkv = at::randn({s.tokens(), 3 * kWidth}).to(type);
  const auto heads =
      qkv.view({s.cells, s.length, 3, kHeads, kWidth / kHeads}).permute({2, 0, 3, 1, 4});
  const auto offsets = s.offsets();
  compare(
      name, s, s.attention_flop(),
      [&] {
        at::scaled_dot_product_attention(heads[0], heads[1], heads[2])
            .transpose(1, 2)
            .reshape({s.tokens(), kWidth});
      },
      [&] { nn::packed_attention(qkv, offsets, kHeads); });
}

void layers(const Shape& s) {
  const auto linear = [](std::int64_t out, std::int64_t in) {
    return nn::LinearWeights{at::randn({out, in}).mul_(0.05), at::randn({out})};
  };
  const nn::NormWeights norm{at::ones({kWidth}), at::zeros({kWidth})};
  const std::vector<nn::EncoderLayerWeights> weights = {
      {linear(3 * kWidth, kWidth), linear(kWidth, kWidth), norm, linear(kInner, kWidth),
       linear(kWidth, kInner), norm}};
  const nn::EncoderForm form{kHeads};
  nn::PackedLayers packed(nn::float_encoder(), weights, form);
  const auto x = at::randn({s.cells, s.length, kWidth});
  const auto offsets = s.offsets();
  compare(
      "encoder_layer", s, s.attention_flop() + s.product_flop(),
      [&] { nn::padded_encoder_layer(weights[0], x, {}, form); },
      [&] {
        packed.run(x.view({s.tokens(), kWidth}), offsets, 1);
      });
}

}  // namespace

int main(int argc, char** argv) {
  const at::NoGradGuard no_gradients;
  if (!nn::float_kernel()) {
    std::puts("skipped: this machine has no AVX-512, attention is LibTorch's");
    return 0;
  }
  const bool quick = argc > 1 && std::strcmp(argv[1], "--quick") == 0;
  const std::vector<Shape> shapes =
      quick ? std::vector<Shape>{{700, 2, 7}} : std::vector<Shape>{{700, 6, 9}, {2048, 2, 9}};
  for (const auto& shape : shapes) {
    attention(shape, at::kFloat, "attention");
    if (nn::bfloat16_kernel()) attention(shape, at::kBFloat16, "attention_bf16");
    layers(shape);
  }
}
