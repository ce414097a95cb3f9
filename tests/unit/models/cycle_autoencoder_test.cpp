#include "models/cycle_autoencoder.h"

#include <ATen/ATen.h>

#include <catch2/catch.hpp>

#include "base/error.h"
#include "models/target_contexts.h"

using namespace cellmill;

namespace {

data::Vocabulary vocabulary() {
  data::Vocabulary v{{{"condition", {"A", "A+B", "B", "control"}}, {"cell_type", {"x", "y", "z"}}},
                     {}};
  for (int g = 0; g < 12; ++g) v.genes.push_back("g" + std::to_string(g));
  return v;
}

data::Batch batch(const std::vector<std::int64_t>& codes) {
  const auto cells = static_cast<std::int64_t>(codes.size()) / 2;
  data::Batch b;
  b.indptr = at::arange(cells + 1, at::kLong) * 3;
  b.indices = at::tensor({0, 4, 9}, at::kLong).repeat({cells});
  b.values = at::rand({cells * 3}, at::kFloat) + 0.5;
  b.labels = at::tensor(codes, at::kLong).view({cells, 2});
  b.cells = at::arange(cells, at::kLong);
  b.genes = 12;
  b.global_cells = cells;
  return b;
}

models::CycleAutoencoderOptions small() {
  models::CycleAutoencoderOptions o;
  o.latent = 4;
  o.classifier_hidden = {5};
  return o;
}

}  // namespace

CATCH_TEST_CASE("targets are uniform, keep, exclude, and stay missing", "[cycle_autoencoder]") {
  const std::int64_t n = 30000;
  auto source = at::ones({n, 2}, at::kLong);
  source.select(1, 1).slice(0, 0, 100).fill_(-1);
  const auto cells = at::arange(n, at::kLong);
  const auto draw = [&](double keep, bool exclude, std::uint64_t seed, std::int64_t epoch) {
    return models::draw_targets(source, cells, {3, 4}, {keep, keep}, exclude, seed, epoch);
  };
  const auto share = [&](const at::Tensor& t, int field, int code) {
    return (t.select(1, field) == code).to(at::kDouble).mean().item<double>();
  };
  const auto uniform = draw(0, false, 1, 0);
  for (int c = 0; c < 3; ++c) CATCH_CHECK(share(uniform, 0, c) == Approx(1.0 / 3).margin(0.012));
  CATCH_CHECK(share(draw(0, true, 1, 0), 0, 1) == 0);
  CATCH_CHECK(share(draw(0.5, false, 1, 0), 0, 1) == Approx(0.5 + 0.5 / 3).margin(0.012));
  CATCH_CHECK((uniform.select(1, 1).slice(0, 0, 100) == -1).all().item<bool>());
  CATCH_CHECK(at::equal(uniform, draw(0, false, 1, 0)));
  CATCH_CHECK_FALSE(at::equal(uniform, draw(0, false, 1, 1)));
  CATCH_CHECK_FALSE(at::equal(uniform, draw(0, false, 2, 0)));
  // A cell's draw does not depend on the batch that it is in.
  const auto part = models::draw_targets(source.slice(0, 500, 600), cells.slice(0, 500, 600),
                                         {3, 4}, {0, 0}, false, 1, 0);
  CATCH_CHECK(at::equal(part, uniform.slice(0, 500, 600)));
}

CATCH_TEST_CASE("legacy_single_field changes the last field alone", "[cycle_autoencoder]") {
  std::vector<std::int64_t> codes;
  for (std::int64_t i = 0; i < 32; ++i) codes.insert(codes.end(), {1, 2});
  const auto used = [&](bool legacy) {
    auto options = small();
    options.targets.exclude_source = true;
    options.targets.legacy_single_field = legacy;
    models::CycleAutoencoder model(options, vocabulary(), 7, at::kFloat);
    std::vector<std::int64_t> contexts;
    for (const auto& touched : model.losses(batch(codes), {}).touched)
      contexts.push_back(touched.sum().item<std::int64_t>());
    return contexts;
  };
  CATCH_CHECK(used(false) == std::vector<std::int64_t>{4, 3});
  CATCH_CHECK(used(true) == std::vector<std::int64_t>{1, 3});
}

CATCH_TEST_CASE("contributions add up, and a missing label's is nothing", "[cycle_autoencoder]") {
  models::CycleAutoencoder model(small(), vocabulary(), 7, at::kFloat);
  const auto b = batch({0, 1, -1, 2, 3, -1, -1, -1});
  const auto parts = model.contributions(b);
  CATCH_REQUIRE(parts.size() == 3);
  CATCH_CHECK(parts[1][1].abs().sum().item<float>() == 0);
  CATCH_CHECK(parts[2][2].abs().sum().item<float>() == 0);
  CATCH_CHECK(parts[1][0].abs().sum().item<float>() > 0);
  // With no field changed, direct is the sum of the parts and delta the cell itself.
  const auto direct = model.counterfactual(b, {}, models::ReadOut::kDirect);
  CATCH_CHECK(at::allclose(direct, parts[0] + parts[1] + parts[2], 1e-5, 1e-6));
  const auto delta = model.counterfactual(b, {}, models::ReadOut::kDelta);
  CATCH_CHECK(at::allclose(delta[0].slice(0, 0, 1), b.values.slice(0, 0, 1), 1e-4, 1e-5));
}

CATCH_TEST_CASE("delta changes by the changed field alone", "[cycle_autoencoder]") {
  models::CycleAutoencoder model(small(), vocabulary(), 7, at::kFloat);
  const auto b = batch({0, 1, 2, 2});
  auto wanted = b;
  wanted.labels = b.labels.clone();
  wanted.labels.select(1, 0).fill_(3);
  const auto shift = model.counterfactual(b, {{0}, {"control"}}, models::ReadOut::kDelta) -
                     model.counterfactual(b, {}, models::ReadOut::kDelta);
  const auto expected = model.contributions(wanted)[1] - model.contributions(b)[1];
  CATCH_CHECK(at::allclose(shift, expected, 1e-4, 1e-5));
}

CATCH_TEST_CASE("sets share their elements' networks, unseen sets included",
                "[cycle_autoencoder]") {
  auto options = small();
  options.head.sets = {{"condition", "control"}};
  models::CycleAutoencoder model(options, vocabulary(), 7, at::kFloat);
  const auto b = batch({3, 0, 3, 1});
  const auto direct = [&](const std::string& value) {
    return model.counterfactual(b, {{0}, {value}}, models::ReadOut::kDirect);
  };
  CATCH_CHECK(at::allclose(direct("A+B"), direct("B+A"), 1e-5, 1e-6));  // B+A is no category
  CATCH_CHECK(at::allclose(direct("A+B") - direct("control"),
                           direct("A") - direct("control") + direct("B") - direct("control"), 1e-4,
                           1e-5));
  try {
    direct("A+Q");
    CATCH_FAIL("accepted");
  } catch (const UsageError& error) {
    CATCH_CHECK(std::string(error.what()) == "field 'condition' has no element 'Q' of 'A+Q'");
    CATCH_CHECK(error.hint() == "elements are control, A, B");
  }
}

CATCH_TEST_CASE("initial values follow the seed alone", "[cycle_autoencoder]") {
  models::CycleAutoencoder a(small(), vocabulary(), 7, at::kFloat),
      b(small(), vocabulary(), 7, at::kFloat), c(small(), vocabulary(), 8, at::kFloat);
  const auto first = [](models::CycleAutoencoder& m) { return m.groups()[0].parameters[1].value; };
  CATCH_CHECK(at::equal(first(a), first(b)));
  CATCH_CHECK_FALSE(at::equal(first(a), first(c)));
}

CATCH_TEST_CASE("matching counts cells whose kept fields keep their source",
                "[cycle_autoencoder]") {
  auto options = small();
  options.loss.match = 1;
  options.loss.match_fields = {"condition", "cell_type"};
  const std::vector<std::int64_t> codes = {0, 0, 0, 0, 3, 0, 3, 0};
  const auto b = batch(codes);
  const auto value = [&](const std::vector<std::string>& kept, const at::Tensor& targets) {
    options.loss.match_kept = kept;
    models::CycleAutoencoder model(options, vocabulary(), 7, at::kDouble);
    model.survey(b);
    model.finish_survey();
    for (const auto& term : model.run(b, targets, {}, false).losses.terms) {
      if (term.name == "match") return term.value.item<double>();
    }
    return -1e9;
  };
  const auto same_type = at::tensor({3, 0, 3, 0, 0, 0, 0, 0}, at::kLong).view({4, 2});
  CATCH_CHECK(value({}, same_type) != 0);
  CATCH_CHECK(value({"cell_type"}, same_type) == value({}, same_type));
  CATCH_CHECK(value({"condition"}, same_type) == 0);
}

CATCH_TEST_CASE("settings that name no field are refused", "[cycle_autoencoder]") {
  auto options = small();
  options.targets.keep = {{"tissue", "0.5"}};
  CATCH_CHECK_THROWS_WITH(models::CycleAutoencoder(options, vocabulary(), 7, at::kFloat),
                          "model.cycle_autoencoder.targets.keep: no field 'tissue'");
  options = small();
  options.targets.keep = {{"condition", "often"}};
  CATCH_CHECK_THROWS_WITH(models::CycleAutoencoder(options, vocabulary(), 7, at::kFloat),
                          "model.cycle_autoencoder.targets.keep: condition: 'often'");
}

CATCH_TEST_CASE("all forms of the step are the plain one: losses, hidden states, gradients",
                "[cycle_autoencoder]") {
  const auto b = batch({0, 1, -1, 2, 3, -1, -1, -1, 2, 0, 2, 0, 3, 1, 1, 1});
  auto options = small();
  options.head.sets = {{"condition", "control"}};
  options.head.scale = 0.3;
  options.loss.match = 2;
  options.loss.match_fields = {"cell_type"};
  const auto step = [&](const char* form, at::ScalarType dtype) {
    const bool plain = form == std::string("plain");
    options.compute = plain ? "dense" : form;
    models::CycleAutoencoder model(options, vocabulary(), 7, dtype);
    model.survey(b);
    model.finish_survey();
    const auto out = model.run(b, model.draw(b, 3), {}, /*keep_contributions=*/plain);
    auto total = at::zeros({}, dtype);
    std::vector<at::Tensor> found;
    for (const auto& term : out.losses.terms) {
      total = total + term.weight * term.value;
      found.push_back(term.value.detach());
    }
    for (const auto* pass : {&out.first, &out.second})
      for (const auto& h : pass->hidden) found.push_back(h.detach());
    total.backward();
    for (const auto& group : model.groups())
      for (const auto& p : group.parameters) found.push_back(p.value.grad());
    return found;
  };
  for (const auto& hidden : {std::vector<std::int64_t>{5}, std::vector<std::int64_t>{}}) {
    for (const bool bias : {true, false}) {
      options.classifier_hidden = hidden;
      options.head.decoder_bias = options.head.encoder_bias = bias;
      for (const auto dtype : {at::kDouble, at::kFloat}) {
        const double allowed = dtype == at::kDouble ? 1e-10 : 2e-4;
        const auto plain = step("plain", dtype);
        CATCH_CHECK(plain.size() > 20);
        for (const char* form : {"dense", "factored"}) {
          const auto found = step(form, dtype);
          CATCH_REQUIRE(found.size() == plain.size());
          for (std::size_t k = 0; k < found.size(); ++k) {
            CATCH_INFO(form << ", " << k);
            CATCH_CHECK(at::allclose(found[k], plain[k], allowed, allowed / 100));
          }
        }
      }
    }
  }
}
