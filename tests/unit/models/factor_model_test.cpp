#include "models/factor_model.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <catch2/catch.hpp>
#include <map>

#include "base/error.h"
#include "models/model_table.h"

using namespace cellmill;

namespace {

constexpr std::int64_t kGenes = 30;

data::Vocabulary vocabulary() {
  data::Vocabulary v{{{"cell_type", {"t", "b|t", "b"}},
                      {"sex", {"female", "male"}},
                      {"assay", {"x", "y"}},
                      {"dose", {"10 um", "1 um", "3 mg", "unreadable"}},
                      {"perturbation", {"g4", "none", "g1|g7"}},
                      {"perturbation_type", {"crispr", "drug", "sirna"}}},
                     {}};
  for (int g = 0; g < kGenes; ++g) v.genes.push_back("g" + std::to_string(g));
  return v;
}

data::Batch batch(std::int64_t cells) {
  at::manual_seed(5);
  const auto fields = static_cast<std::int64_t>(vocabulary().fields.size());
  data::Batch b;
  b.indptr = at::arange(cells + 1, at::kLong) * 10;
  b.indices = (at::arange(10, at::kLong) * 3).repeat({cells});
  b.values = at::randint(1, 9, {cells * 10}, at::kFloat);
  b.labels = at::randint(-1, 2, {cells, fields}, at::kLong);
  b.cells = at::arange(cells, at::kLong) + 100;
  b.genes = kGenes;
  b.global_cells = cells;
  return b;
}

data::Batch rows(const data::Batch& whole, std::int64_t begin, std::int64_t end) {
  auto b = whole;
  b.indptr = at::arange(end - begin + 1, at::kLong) * 10;
  b.indices = whole.indices.slice(0, begin * 10, end * 10);
  b.values = whole.values.slice(0, begin * 10, end * 10);
  b.labels = whole.labels.slice(0, begin, end);
  b.cells = whole.cells.slice(0, begin, end);
  return b;
}

models::FactorOptions small(const std::string& likelihood = "auto") {
  models::FactorOptions o;
  o.likelihood = likelihood;
  o.network.hidden = 8;
  o.network.prior_hidden = 6;
  o.latents.biological = 4;
  o.latents.technical = 3;
  o.latents.perturbation = 2;
  o.correction.targets = "perturbation";
  o.correction.kinds = "perturbation_type";
  return o;
}

models::FactorModel surveyed(const models::FactorOptions& options) {
  models::FactorModel model(options, vocabulary(), 7, at::kDouble);
  model.survey(batch(16));
  model.finish_survey();
  // Priors begin at N(0, I), corrections at nothing: moved, so that every path counts.
  const at::NoGradGuard no_gradients;
  at::manual_seed(9);
  for (auto& p : model.network().parameters())
    at::Tensor(p.value).add_(at::randn(p.value.sizes(), p.value.options()), 0.1);
  return model;
}

std::map<std::string, double> terms(models::FactorModel& model, const data::Batch& b) {
  std::map<std::string, double> values;
  for (const auto& term : model.losses(b, {}).terms) values[term.name] = term.value.item<double>();
  return values;
}

}  // namespace

CATCH_TEST_CASE("blanking a label changes its own terms alone", "[factor_model]") {
  const auto o = small();
  auto model = surveyed(o);
  const auto whole = batch(12);
  const auto fields = vocabulary().fields;
  const std::map<std::string, std::string> group = {{"cell_type", "biological"},
                                                    {"sex", "biological"},
                                                    {"assay", "technical"},
                                                    {"dose", "perturbation"}};
  const auto before = terms(model, whole);
  for (std::size_t f = 0; f < fields.size(); ++f) {
    if (!group.contains(fields[f].name)) continue;
    auto blank = whole;
    blank.labels = whole.labels.clone();
    auto column = blank.labels.select(1, static_cast<std::int64_t>(f));
    const auto known = (column >= 0).nonzero();
    CATCH_REQUIRE(known.numel() > 0);
    column[known[0].item<std::int64_t>()] = -1;
    const auto own = "/" + fields[f].name;
    int changed = 0;
    for (const auto& [name, value] : terms(model, blank)) {
      CATCH_INFO(name << " with a blank " << fields[f].name);
      const bool may = name == "label" + own || name.starts_with("adversary" + own + "/") ||
                       name == "kl/" + group.at(fields[f].name);
      if (may)
        changed += value != before.at(name);
      else
        CATCH_CHECK(value == before.at(name));
    }
    CATCH_CHECK(changed >= 2);
  }
}

CATCH_TEST_CASE("a field without any label costs nothing and moves nothing", "[factor_model]") {
  auto model = surveyed(small());
  auto b = batch(8);
  b.labels.select(1, 1).fill_(-1);
  at::Tensor total;
  for (const auto& term : model.losses(b, {}).terms) {
    const auto weighted = term.value * term.weight;
    total = total.defined() ? total + weighted : weighted;
    if (term.name == "label/sex") CATCH_CHECK(term.value.item<double>() == 0);
  }
  total.backward();
  CATCH_CHECK(model.network().parameter("clf.sex.weight").grad().abs().sum().item<double>() == 0);
  CATCH_CHECK(model.network().parameter("clf.assay.weight").grad().abs().sum().item<double>() > 0);
}

CATCH_TEST_CASE("losses and gradients of shards add up to the whole's", "[factor_model]") {
  for (const std::string likelihood : {"multinomial", "nb", "normal"}) {
    CATCH_INFO(likelihood);
    auto o = small(likelihood);
    o.dropout.blocks = 0.3;
    o.dropout.input = 0.2;
    o.dropout.fields = 0.2;
    o.loss.prior_reconstruction = likelihood == "normal" ? 0.5 : 0;
    o.loss.kl_steps = 4;
    auto model = surveyed(o);
    const auto whole = batch(13);
    const auto gradients = [&](const std::vector<data::Batch>& parts,
                               std::map<std::string, double>& sums) {
      for (auto& p : model.network().parameters())
        at::Tensor(p.value).mutable_grad() = at::Tensor();
      for (const auto& part : parts) {
        models::StepContext context;
        context.step = 3;
        at::Tensor total;
        for (const auto& term : model.losses(part, context).terms) {
          sums[term.name] += term.value.item<double>();
          const auto weighted = term.value * term.weight;
          total = total.defined() ? total + weighted : weighted;
        }
        total.backward();
      }
      std::vector<at::Tensor> flat;
      for (auto& p : model.network().parameters())
        if (p.value.grad().defined()) flat.push_back(p.value.grad().flatten());
      return at::cat(flat).clone();
    };
    std::map<std::string, double> one, three;
    const auto expected = gradients({whole}, one);
    const auto found = gradients({rows(whole, 0, 6), rows(whole, 6, 6), rows(whole, 6, 13)}, three);
    for (const auto& [name, value] : one)
      CATCH_CHECK(three.at(name) == Approx(value).epsilon(1e-10));
    CATCH_CHECK((found - expected).norm().item<double>() < 1e-10 * expected.norm().item<double>());
  }
}

CATCH_TEST_CASE("noise is the cell's, whatever its batch; another each epoch", "[factor_model]") {
  auto o = small();
  o.dropout.input = 0.25;
  models::FactorModel model(o, vocabulary(), 7, at::kFloat);
  const auto whole = batch(4000);
  const auto noise = model.draw(whole, 3, true), part = model.draw(rows(whole, 40, 50), 3, true);
  CATCH_CHECK(at::equal(part.eps, noise.eps.slice(0, 40, 50)));
  CATCH_CHECK(at::equal(part.masks.at("enc.input"), noise.masks.at("enc.input").slice(0, 40, 50)));
  CATCH_CHECK(noise.eps.mean().item<double>() == Approx(0).margin(0.02));
  CATCH_CHECK(noise.eps.std().item<double>() == Approx(1).margin(0.02));
  CATCH_CHECK(at::corrcoef(noise.eps.t()).sub(at::eye(9)).abs().max().item<double>() < 0.08);
  CATCH_CHECK(noise.masks.at("enc.input").mean().item<double>() == Approx(1).margin(0.01));
  auto later = whole;
  later.epoch = 1;
  CATCH_CHECK_FALSE(at::equal(model.draw(later, 3, true).eps, noise.eps));
  CATCH_CHECK(model.draw(whole, 3, false).masks.empty());
}

CATCH_TEST_CASE("labels become words, units and scaled values", "[factor_model]") {
  auto model = surveyed(small());
  auto b = batch(4);
  b.labels.fill_(-1);
  b.labels[0][0] = 1;  // b|t
  b.labels[1][0] = 2;  // b
  for (int cell = 0; cell < 3; ++cell) b.labels[cell][3] = cell;
  const auto& fields = model.network().shape().fields;
  const auto input = model.input(b);
  const auto rows_of = [&](const std::string& name) {
    for (std::size_t f = 0; f < fields.size(); ++f)
      if (fields[f].name == name) return input.metadata[f];
    throw std::runtime_error("no field " + name);
  };
  CATCH_CHECK(fields[1].words == std::vector<std::string>{"b", "t"});
  CATCH_CHECK(
      at::equal(rows_of("cell_type"), at::tensor({1., 1., 1., 0., 0., 0., 0., 0.}).view({4, 2})));
  const auto dose = rows_of("dose");  // units mg, um
  CATCH_CHECK(
      at::equal(dose.narrow(1, 0, 2), at::tensor({0., 1., 0., 1., 1., 0., 0., 0.}).view({4, 2})));
  CATCH_CHECK(dose[0][2].item<double>() > dose[1][2].item<double>());
  CATCH_CHECK(dose[3].abs().sum().item<double>() == 0);

  auto field = fields.front();
  for (const auto& f : fields)
    if (f.name == "dose") field = f;
  fit_number(field, vocabulary().fields[3], at::tensor({3., 1., 0., 2.}));
  const double low = std::log(1 + 1e-6), high = std::log(10 + 1e-6);
  const double mean = (3 * high + low) / 4, deviation = std::sqrt(3.) / 4 * (high - low);
  CATCH_CHECK(field.table[0][2].item<double>() == Approx((high - mean) / deviation));
  CATCH_CHECK(field.table[1][2].item<double>() == Approx((low - mean) / deviation));
}

CATCH_TEST_CASE("measures are read as far as they are sure", "[factor_model]") {
  const auto read = [](const char* text, const char* assumed = "") {
    const auto m = models::read_measure(text, assumed);
    return m ? std::to_string(m->value) + m->unit : std::string("none");
  };
  CATCH_CHECK(read(" 1e1  um ") == "10.000000um");
  CATCH_CHECK(read("45", "year") == "45.000000year");
  CATCH_CHECK(read("3 month", "year") == "3.000000month");
  for (const char* text : {"45", "10um", "-1 um", "inf um", "um", ""})
    CATCH_CHECK(read(text) == "none");
}

CATCH_TEST_CASE("perturbed genes are found by name, where the technique is known",
                "[factor_model]") {
  const auto o = small();
  auto model = surveyed(o);
  auto b = batch(4);
  b.labels.fill_(-1);
  const auto label = [&](int cell, int perturbation, int type) {
    b.labels[cell][4] = perturbation;
    b.labels[cell][5] = type;
  };
  label(0, 2, 0);   // g1|g7 by crispr
  label(1, 0, 2);   // g4 by sirna
  label(2, 0, 1);   // a drug
  label(3, 0, -1);  // not known how
  const auto input = model.input(b);
  CATCH_CHECK(
      at::equal(input.targets, at::tensor({1, 7, 4, -1, -1, -1, -1, -1}, at::kLong).view({4, 2})));
  CATCH_CHECK(input.kinds.select(1, 0).slice(0, 0, 2).equal(at::tensor({0, 2}, at::kLong)));
}

CATCH_TEST_CASE("a survey sees means, variances and shares", "[factor_model]") {
  models::FactorModel model(small(), vocabulary(), 7, at::kDouble);
  const auto b = batch(16);
  model.survey(rows(b, 0, 5));
  model.survey(rows(b, 5, 16));
  model.finish_survey();
  const auto input = model.input(b);
  const auto y = nn::densify(model.network().normalised(input), at::kDouble);
  CATCH_CHECK(at::allclose(model.network().gene_mean, y.mean(0)));
  CATCH_CHECK(at::allclose(model.network().gene_variance, (y - y.mean(0)).square().mean(0)));
  const auto counts = nn::densify(input.counts, at::kDouble).sum(0) + 0.5;
  CATCH_CHECK(
      at::allclose(model.network().parameter("dec.out.bias"), (counts / counts.sum()).log()));
  // Nothing but the metadata and the mean profile is known before the first step.
  const auto p = model.generate(input, {});
  CATCH_CHECK(at::allclose(model.probabilities(input)[1].sum(1), at::ones({16}, at::kDouble)));
  CATCH_CHECK(p.sizes() == at::IntArrayRef({16, kGenes}));
}

CATCH_TEST_CASE("evaluations of parts add up, and score what is there", "[factor_model]") {
  auto model = surveyed(small());
  const auto b = batch(20);
  auto whole = model.evaluation(), one = model.evaluation(), two = model.evaluation();
  whole->update(b, {});
  one->update(rows(b, 0, 7), {});
  two->update(rows(b, 7, 20), {});
  auto sums = one->state();
  const auto others = two->state();
  CATCH_REQUIRE(sums.size() == others.size());
  for (std::size_t k = 0; k < sums.size(); ++k) sums[k] += others[k];
  std::map<std::string, double> expected;
  for (const auto& score : whole->scores()) expected[score.name] = score.value;
  for (const auto& score : one->scores())
    CATCH_CHECK(score.value == Approx(expected.at(score.name)).epsilon(1e-9));
  for (const char* name : {"loss/factor", "accuracy/sex", "macro_f1/cell_type", "calibration/dose",
                           "pearson/genes", "pearson/samples"})
    CATCH_CHECK(expected.contains(name));
}

CATCH_TEST_CASE("fields that fit no group are refused", "[factor_model]") {
  auto v = vocabulary();
  v.fields.push_back({"weather", {"rain", "sun"}});
  CATCH_CHECK_THROWS_WITH(models::FactorModel(small(), v, 0, at::kFloat),
                          Catch::Contains("'weather' is in no group"));
  auto o = small();
  o.fields.technical.push_back("sex");
  CATCH_CHECK_THROWS_WITH(models::FactorModel(o, vocabulary(), 0, at::kFloat),
                          Catch::Contains("'sex' is named twice"));
  o = small();
  o.loss.each["sex"] = "much";
  CATCH_CHECK_THROWS_WITH(models::FactorModel(o, vocabulary(), 0, at::kFloat),
                          Catch::Contains("loss.each: sex: 'much'"));
  CATCH_CHECK_THROWS_WITH(models::FactorModel({}, data::Vocabulary{{}, {"g"}}, 0, at::kFloat),
                          Catch::Contains("needs at least one metadata field"));
  o = small();
  o.correction.kinds = "perturbation_typ";
  CATCH_CHECK_THROWS_WITH(models::FactorModel(o, vocabulary(), 0, at::kFloat),
                          Catch::Contains("no field 'perturbation_typ'"));
}

CATCH_TEST_CASE("the cost counts the parameters", "[factor_model]") {
  models::ModelOptions options;
  options.name = "factor_model";
  options.factor_model = small();
  options.factor_model.correction = {};
  double made = 0;
  for (const auto& p : models::FactorModel(options.factor_model, vocabulary(), 0, at::kFloat)
                           .network()
                           .parameters())
    made += static_cast<double>(p.value.numel());
  const auto forms = models::step_forms(options, vocabulary(), {});
  CATCH_CHECK(forms.forms.front().cost.parameters == Approx(made).epsilon(0.05));
}
