#include "infer/generation.h"

#include <ATen/ATen.h>

#include <catch2/catch.hpp>

#include "../expect.h"
#include "infer/api_names.h"
#include "infer/factor_prediction.h"
#include "models/factor_model.h"

using namespace cellmill;
using namespace cellmill::infer;
using Catch::Contains;

namespace {

constexpr std::int64_t kGenes = 40;

models::FactorModel model(const std::string& modality = "single_cell",
                          const std::string& likelihood = "auto") {
  data::Vocabulary v{{{"cell_type", {"b", "t"}},
                      {"assay", {"x", "y"}},
                      {"dose", {"10 um", "1 um", "3 mg"}},
                      {"perturbation", {"drug", "none"}}},
                     {}};
  for (int g = 0; g < kGenes; ++g) v.genes.push_back("g" + std::to_string(g));
  models::FactorOptions o;
  o.modality = modality;
  o.likelihood = likelihood;
  o.network.hidden = 8;
  o.network.prior_hidden = 6;
  o.latents = {4, 3, 2, false};
  models::FactorModel m(o, v, 7, at::kFloat);
  at::manual_seed(3);
  const auto groups = m.groups();
  for (const auto& parameter : groups.front().parameters)
    parameter.value.detach().add_(at::randn_like(parameter.value) * 0.2);
  m.freeze();
  return m;
}

at::Tensor reference() { return (at::arange(kGenes, at::kFloat) * 7).remainder(11); }

GenerationInput of(models::Metadata metadata, std::int64_t samples = 1) {
  return {std::move(metadata), {}, samples};
}

bool same(const at::Tensor& a, const at::Tensor& b) { return at::equal(a, b); }

std::string paths(const std::vector<RequestProblem>& problems) {
  std::string all;
  for (const auto& problem : problems) all += problem.path + ": " + problem.message + "\n";
  return all;
}

}  // namespace

CATCH_TEST_CASE("a sample is a function of its input, the seed and its number alone") {
  auto m = model();
  GenerationOptions o;
  o.seed = 5;
  const auto together = generate(m, {of({{"cell_type", "b"}}, 3), of({{"cell_type", "t"}}, 2)}, o);
  const auto alone = generate(m, {of({{"cell_type", "b"}}, 1)}, o);
  CATCH_CHECK(together.input == std::vector<std::size_t>{0, 0, 0, 1, 1});
  CATCH_CHECK(together.counts.size(0) == 5);
  CATCH_CHECK(at::allclose(together.latents[0][0], alone.latents[0][0], 1e-5, 1e-6));
  CATCH_CHECK(!same(together.latents[0][0], together.latents[0][1]));
  CATCH_CHECK(same(generate(m, {of({{"cell_type", "b"}}, 1)}, o).counts, alone.counts));
  o.seed = 6;
  CATCH_CHECK(!same(generate(m, {of({{"cell_type", "b"}}, 1)}, o).latents[0], alone.latents[0]));
}

CATCH_TEST_CASE("deterministic latents are means: every sample of an input is the same") {
  auto m = model();
  GenerationOptions o;
  o.deterministic_latents = true;
  const auto first = generate(m, {of({{"cell_type", "b"}}, 2)}, o);
  o.seed = 99;
  const auto second = generate(m, {of({{"cell_type", "b"}}, 1), of({{"cell_type", "t"}})}, o);
  CATCH_CHECK(same(first.counts[0], first.counts[1]));
  CATCH_CHECK(same(first.counts[0], second.counts[0]));
  CATCH_CHECK(!same(second.latents[0][0], second.latents[0][1]));
  CATCH_CHECK(
      at::allclose(second.latents[1][0], second.latents[1][1]));  // assay is missing in both
}

CATCH_TEST_CASE("total_count, its defaults, and fixed_total_count beside a reference") {
  auto m = model();
  GenerationOptions o;
  const auto total = [&](const Generated& g) { return g.counts.sum().item<double>(); };
  CATCH_CHECK(total(generate(m, {of({})}, o)) == Approx(1e4).margin(kGenes));
  CATCH_CHECK(default_total_count(model("bulk")) == 1e7);
  o.total_count = 5e6;
  CATCH_CHECK(total(generate(m, {of({})}, o)) == Approx(5e6).margin(kGenes));
  const GenerationInput beside{{{"perturbation", "drug"}}, reference(), 1};
  const double own = reference().sum().item<double>();
  CATCH_CHECK(generate(m, {beside}, o).total_count.front() == own);
  o.fixed_total_count = true;
  CATCH_CHECK(total(generate(m, {beside}, o)) == Approx(5e6).margin(kGenes));
}

CATCH_TEST_CASE(
    "a reference gives the latents of the groups that it conditions, metadata the rest") {
  auto m = model();
  GenerationOptions o;
  o.deterministic_latents = true;
  const auto read =
      predict_metadata(m, batch_of_counts(reference().unsqueeze(0)), Reconstruct::kNo);
  const auto drug = generate(m, {{{{"perturbation", "drug"}}, reference(), 1}}, o);
  const auto none = generate(m, {{{{"perturbation", "none"}}, reference(), 1}}, o);
  for (const std::size_t g : {0, 1}) {
    CATCH_CHECK(at::allclose(drug.latents[g], read.latents[g], 1e-5, 1e-6));
    CATCH_CHECK(same(drug.latents[g], none.latents[g]));
  }
  CATCH_CHECK(!at::allclose(drug.latents[2], none.latents[2]));
  o.conditioning = {true, false, false};
  const auto less = generate(m, {{{{"perturbation", "drug"}, {"assay", "x"}}, reference(), 1}}, o);
  CATCH_CHECK(same(less.latents[0], drug.latents[0]));
  CATCH_CHECK(!at::allclose(less.latents[1], drug.latents[1]));
}

CATCH_TEST_CASE("sample generation draws whole counts about the mean, again the same for a seed") {
  for (const std::string likelihood : {"normal", "nb", "multinomial"}) {
    auto m = model("bulk", likelihood);
    GenerationOptions o;
    o.deterministic_latents = true;
    o.total_count = 1e6;
    const auto mean = generate(m, {of({{"cell_type", "b"}})}, o).counts[0].to(at::kDouble);
    o.sampling = Sampling::kSample;
    const auto drawn = generate(m, {of({{"cell_type", "b"}}, 400)}, o);
    CATCH_CHECK((drawn.counts >= 0).all().item<bool>());
    CATCH_CHECK(!same(drawn.counts[0], drawn.counts[1]));
    CATCH_CHECK(same(generate(m, {of({{"cell_type", "b"}}, 400)}, o).counts, drawn.counts));
    if (likelihood == "normal") continue;  // its mean is one of logarithms
    const auto off = (drawn.counts.to(at::kDouble).mean(0) - mean).abs().max().item<double>();
    CATCH_CHECK(off < 0.2 * mean.max().item<double>());
  }
}

CATCH_TEST_CASE("everything wrong with a request is told with its path") {
  auto m = model();
  GenerationOptions o;
  o.sampling = Sampling::kSample;
  o.total_count = -3;
  const auto told = paths(problems_of(
      m,
      {{{{"cell_typ", "b"}}, {}, 0}, {{{"cell_type", "T"}}, {}, 1}, {{{"dose", "1 litre"}}, {}, 1}},
      o));
  CATCH_CHECK_THAT(told, Contains("sampling_strategy: 'sample generation' is for bulk models"));
  CATCH_CHECK_THAT(told, Contains("total_count: a number above 0"));
  CATCH_CHECK_THAT(told, Contains("inputs[0].num_samples: a whole number of at least 1"));
  CATCH_CHECK_THAT(told, Contains("inputs[0].metadata.cell_typ: the model has no such field"));
  CATCH_CHECK_THAT(told, Contains("inputs[1].metadata.cell_type: 'T' is not a value of cell_type"));
  CATCH_CHECK_THAT(told,
                   Contains("inputs[2].metadata.dose: the unit 'litre' is none that the model "
                            "knows: mg, um"));
  const auto half = at::full({kGenes}, 10.5);
  const auto beside = paths(problems_of(m, {{{{"cell_type", "b"}}, half, 1}}, {}));
  CATCH_CHECK_THAT(beside, Contains("inputs[0].counts: counts are whole numbers of at least 0"));
  CATCH_CHECK_THAT(beside, Contains("the biological latent comes from the reference"));
  CATCH_CHECK_THAT(error_of([&] {
                     generate(m, {of({{"cell_type", "z"}})}, {});
                   }),
                   Contains("64 inputs[0].metadata.cell_type: 'z' is not a value"));
}

CATCH_TEST_CASE("predictions: rows sum to 1, numbers come with a unit, batches join") {
  auto m = model();
  const auto counts = at::stack({reference(), reference().flip(0), at::zeros({kGenes})});
  const auto all = predict_metadata(m, batch_of_counts(counts), Reconstruct::kYes);
  CATCH_REQUIRE(all.fields.size() == 4);
  for (const auto& field : all.fields) {
    CATCH_CHECK(at::allclose(field.probabilities.sum(1), at::ones({3}, at::kDouble)));
    CATCH_CHECK(field.probability[1] == field.probabilities[1].max().item<double>());
  }
  const auto& dose = all.fields[3];
  CATCH_CHECK(dose.name == "dose");
  CATCH_CHECK(!dose.category);
  CATCH_CHECK_THAT(dose.text(0), Contains(" " + dose.words[dose.label[0]]));
  CATCH_CHECK(all.counts[2].sum().item<std::int64_t>() == 0);
  auto parts =
      std::vector{predict_metadata(m, batch_of_counts(counts.narrow(0, 0, 1)), Reconstruct::kYes),
                  predict_metadata(m, batch_of_counts(counts.narrow(0, 1, 2)), Reconstruct::kYes)};
  const auto together = joined(std::move(parts));
  CATCH_CHECK(together.cells == 3);
  CATCH_CHECK(at::allclose(together.fields[0].probabilities, all.fields[0].probabilities));
  CATCH_CHECK(same(together.counts, all.counts));
}

CATCH_TEST_CASE("a frozen model reads what it read before") {
  auto m = model();
  const auto batch = batch_of_counts(reference().unsqueeze(0));
  const auto frozen = m.read_metadata(batch, models::ReadMode::kLabels);
  auto labelled = batch;
  labelled.labels = at::full({1, 4}, -1, at::kLong);
  const auto plain = m.probabilities(m.input(labelled));
  CATCH_CHECK(at::allclose(frozen.probabilities[0], plain[0]));
}

CATCH_TEST_CASE("the API's names of fields, and ours") {
  CATCH_CHECK(api_name("cell_type") == "cell_type_ontology_id");
  CATCH_CHECK(api_name("sex") == "sex");
  auto m = model();
  CATCH_CHECK(field_named("perturbation_dose", m.metadata_fields()) == 3);
  CATCH_CHECK(field_named("cell_type", m.metadata_fields()) == 0);
  CATCH_CHECK(!field_named("tissue", m.metadata_fields()));
}
