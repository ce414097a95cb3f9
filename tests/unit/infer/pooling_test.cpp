#include "infer/pooling.h"

#include <ATen/ATen.h>

#include <catch2/catch.hpp>

#include "../expect.h"
#include "infer/gene_means.h"

namespace cellmill::infer {
namespace {

using Catch::Contains;

data::GeneDictionary with_specials() {
  data::GeneDictionary d;
  d.tokens = {"<pad>", "<mask>", "<cls>", "<eos>", "A", "B", "C"};
  d.medians = {0, 0, 0, 0, 1, 1, 1};
  d.cls = 2, d.eos = 3;
  return d;
}

data::Sequences cells_of(const std::vector<std::vector<std::int32_t>>& cells) {
  data::Sequences sequences;
  for (const auto& cell : cells) sequences.append(cell);
  return sequences;
}

}  // namespace

CATCH_TEST_CASE("the two conventions count layers one apart") {
  const auto up = LayerConvention::kUpstream, helical = LayerConvention::kHelical;
  CATCH_CHECK(hidden_layer(-1, up, 6) == 5);
  CATCH_CHECK(hidden_layer(0, up, 6) == 6);
  CATCH_CHECK(hidden_layer(-6, up, 6) == 0);
  CATCH_CHECK(hidden_layer(-1, helical, 6) == 6);
  CATCH_CHECK(hidden_layer(-2, helical, 6) == 5);
  CATCH_CHECK(hidden_layer(0, helical, 6) == 0);
  CATCH_CHECK(hidden_layer(6, helical, 6) == 6);
  CATCH_CHECK(hidden_layer(-7, helical, 6) == 0);
  CATCH_CHECK_THAT(error_of([&] { hidden_layer(1, up, 6); }),
                   Contains("64 no layer 1: in the convention upstream a model of 6 layers has -6 "
                            "to 0"));
  CATCH_CHECK_THAT(error_of([&] { hidden_layer(-7, up, 6); }), Contains("second to last"));
  CATCH_CHECK_THAT(error_of([&] { hidden_layer(7, helical, 6); }), Contains("-7 to 6"));
  CATCH_CHECK_THAT(error_of([&] { hidden_layer(-8, helical, 6); }), Contains("-1 is the last"));
}

CATCH_TEST_CASE("a cell is the mean of its genes, without <cls> and <eos>") {
  const auto d = with_specials();
  const auto cells = cells_of({{2, 4, 5, 3}, {2, 3}, {}, {2, 6, 3}});
  CATCH_CHECK((gene_rows(cells, d) == std::vector<Rows>{{1, 3}, {5, 5}, {6, 6}, {7, 8}}));
  const at::Tensor hidden = at::arange(18, at::kFloat).reshape({9, 2});
  const at::Tensor means = pooled(hidden, cells, Pooling::kCell, d);
  CATCH_CHECK(means[0].equal(at::tensor({3.f, 4.f})));
  CATCH_CHECK(means[1].isnan().all().item<bool>());
  CATCH_CHECK(means[2].isnan().all().item<bool>());
  CATCH_CHECK(means[3].equal(at::tensor({14.f, 15.f})));
}

CATCH_TEST_CASE("mode cls is the first token, and V1 has none") {
  const auto d = with_specials();
  const at::Tensor hidden = at::arange(12, at::kFloat).reshape({6, 2});
  const at::Tensor first = pooled(hidden, cells_of({{2, 4, 3}, {2, 5, 3}}), Pooling::kCls, d);
  CATCH_CHECK(first.equal(at::tensor({0.f, 1.f, 6.f, 7.f}).reshape({2, 2})));
  check_pooling(Pooling::kCls, {4096, true});
  check_pooling(Pooling::kCell, {2048, false});
  CATCH_CHECK_THAT(error_of([] {
                     check_pooling(Pooling::kCls, {2048, false});
                   }),
                   Contains("64 mode cls: the model's cells have no <cls> token (V1)"));
}

CATCH_TEST_CASE("V1 tokens 2 and 3 are genes") {
  auto d = with_specials();
  d.cls = d.eos = -1;
  CATCH_CHECK((gene_rows(cells_of({{2, 4, 3}}), d) == std::vector<Rows>{{0, 3}}));
}

CATCH_TEST_CASE("means of genes do not depend on the order of cells or who adds them") {
  const auto d = with_specials();
  const auto cells = cells_of({{2, 4, 6, 3}, {2, 6, 3}, {2, 6, 4, 3}});
  const at::Tensor hidden = at::randn({11, 5}) * 3;
  GeneMeans all(d, 5, at::kCPU), first(d, 5, at::kCPU), second(d, 5, at::kCPU);
  all.add(hidden, cells);
  second.add(hidden.narrow(0, 7, 4), cells_of({{2, 6, 4, 3}}));
  second.add(hidden.narrow(0, 0, 4), cells_of({{2, 4, 6, 3}}));
  first.add(hidden.narrow(0, 4, 3), cells_of({{2, 6, 3}}));
  first.sums() += second.sums();
  first.cells() += second.cells();
  CATCH_CHECK(all.found().equal(at::tensor({4, 6}, at::kLong)));
  CATCH_CHECK(first.means().equal(all.means()));
  const at::Tensor b = (hidden[1] + hidden[9]) / 2, c = (hidden[2] + hidden[5] + hidden[8]) / 3;
  CATCH_CHECK(at::allclose(all.means(), at::stack({b, c}), 1e-6, 1e-7));
  CATCH_CHECK(all.cells()[6].item<std::int64_t>() == 3);
}

CATCH_TEST_CASE("a hidden state that is not finite is refused") {
  GeneMeans means(with_specials(), 2, at::kCPU);
  const at::Tensor hidden = at::full({1, 2}, std::numeric_limits<float>::quiet_NaN());
  CATCH_CHECK_THAT(error_of([&] { means.add(hidden, cells_of({{4}})); }), Contains("not finite"));
}

}  // namespace cellmill::infer
