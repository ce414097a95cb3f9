#include "infer/embedding.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "../expect.h"

namespace cellmill::infer {
namespace {

using Catch::Contains;

// hidden state of a token: {token, layer}.
struct Echo : models::SequenceEncoder {
  data::GeneDictionary words;
  std::vector<std::string> calls;
  bool broken = false;

  Echo() {
    words.tokens = {"<pad>", "<mask>", "A", "B", "C", "D"};
    words.medians = {0, 0, 1, 1, 1, 1};
  }
  const data::GeneDictionary& dictionary() const override { return words; }
  data::RankOptions rank_options() const override { return {}; }
  std::int64_t layers() const override { return 3; }
  std::int64_t width() const override { return 2; }
  void freeze(at::ScalarType precision) override {
    calls.push_back(precision == at::kFloat ? "freeze f32" : "freeze bf16");
  }
  at::Tensor encode(const data::Sequences& s, std::int64_t layer) override {
    calls.push_back("packed " + std::to_string(s.size()));
    at::Tensor states = at::full({static_cast<std::int64_t>(s.tokens.size()), 2},
                                 static_cast<float>(broken ? NAN : layer));
    for (std::size_t i = 0; i < s.tokens.size(); ++i)
      states[static_cast<std::int64_t>(i)][0] = s.tokens[i];
    return states;
  }
  at::Tensor encode_padded(const data::Sequences& s, std::int64_t layer,
                           at::ScalarType precision) override {
    calls.push_back(precision == at::kFloat ? "padded f32" : "padded bf16");
    return encode(s, layer);
  }
};

data::Sequences of_lengths(const std::vector<int>& lengths) {
  data::Sequences window;
  for (const int length : lengths) window.append(std::vector<std::int32_t>(length, 2));
  return window;
}

using Batches = std::vector<std::vector<std::int64_t>>;

}  // namespace

CATCH_TEST_CASE("packed batches are filled with tokens, longest cells first") {
  EmbeddingOptions options;
  options.batch_tokens = 10;
  const auto window = of_lengths({3, 12, 5, 0, 5, 3});
  CATCH_CHECK(plan_batches(window, options) == Batches{{1}, {2, 4}, {0, 5}});
  options.batch_tokens = 9;
  CATCH_CHECK(plan_batches(window, options) == Batches{{1}, {2}, {4, 0}, {5}});
}

CATCH_TEST_CASE("padded batches hold so many cells, the baseline in the order of the file") {
  EmbeddingOptions options;
  options.batch_cells = 2;
  const auto window = of_lengths({3, 12, 5, 0, 5, 3});
  options.method = Method::kBaseline;
  CATCH_CHECK(plan_batches(window, options) == Batches{{0, 1}, {2, 4}, {5}});
  for (const Method method : {Method::kBatching, Method::kMixedPrecision}) {
    options.method = method;
    CATCH_CHECK(plan_batches(window, options) == Batches{{1, 2}, {4, 0}, {5}});
  }
  options.batch_cells = 0;
  CATCH_CHECK(batch_cells_of(options) == 32);
  options.method = Method::kBaseline;
  CATCH_CHECK(batch_cells_of(options) == 10);
}

CATCH_TEST_CASE("a window without tokens has no batch") {
  CATCH_CHECK(plan_batches(of_lengths({0, 0}), {}).empty());
  CATCH_CHECK(plan_batches({}, {}).empty());
}

CATCH_TEST_CASE("shares get long and short batches alike") {
  std::vector<std::int64_t> of;
  for (std::int64_t b = 0; b < 7; ++b) of.push_back(share_of(b, 3));
  CATCH_CHECK(of == std::vector<std::int64_t>{0, 1, 2, 2, 1, 0, 0});
  CATCH_CHECK(share_of(5, 1) == 0);
}

CATCH_TEST_CASE("cells are embedded by method, layer and mode") {
  Echo echo;
  data::Sequences window;
  window.append(std::vector<std::int32_t>{2, 3, 4});
  window.append(std::vector<std::int32_t>{5});
  window.append(std::vector<std::int32_t>{3, 5});
  EmbeddingOptions options;
  options.layer = 2;
  const auto rows = Embedder(echo, options).embed(chosen(window, {2, 0}));
  CATCH_CHECK(rows.equal(at::tensor({4.f, 2.f, 3.f, 2.f}).reshape({2, 2})));
  CATCH_CHECK(echo.calls == std::vector<std::string>{"freeze f32", "packed 2"});

  echo.calls.clear();
  options.precision = at::kBFloat16;
  Embedder(echo, options);
  CATCH_CHECK(echo.calls == std::vector<std::string>{"freeze bf16"});

  echo.calls.clear();
  options.method = Method::kMixedPrecision;
  Embedder(echo, options).embed(window);
  CATCH_CHECK(echo.calls == std::vector<std::string>{"freeze bf16", "padded bf16", "packed 3"});

  echo.calls.clear();
  options.method = Method::kBatching;
  Embedder(echo, options).embed(window);
  CATCH_CHECK(echo.calls == std::vector<std::string>{"freeze f32", "padded f32", "packed 3"});
}

CATCH_TEST_CASE("what cannot be embedded is refused") {
  Echo echo;
  EmbeddingOptions options;
  options.pooling = Pooling::kCls;
  CATCH_CHECK_THAT(error_of([&] { Embedder(echo, options); }), Contains("64 mode cls"));
  options.pooling = Pooling::kCell;
  echo.broken = true;
  Embedder embedder(echo, options);
  CATCH_CHECK_THAT(error_of([&] { embedder.embed(of_lengths({2})); }),
                   Contains("70 an embedding is not finite"));
}

}  // namespace cellmill::infer
