#include "models/cycle_cost.h"

#include <catch2/catch.hpp>

#include "models/cycle_autoencoder.h"
#include "models/model_table.h"

using namespace cellmill;

namespace {

data::Vocabulary vocabulary(int genes, const std::vector<int>& categories) {
  data::Vocabulary v;
  for (const int n : categories) {
    v.fields.push_back({"field" + std::to_string(v.fields.size()), {}});
    for (int c = 0; c < n; ++c) v.fields.back().categories.push_back("c" + std::to_string(c));
  }
  for (int g = 0; g < genes; ++g) v.genes.push_back("g" + std::to_string(g));
  return v;
}

double parameters_of(const models::CycleAutoencoderOptions& options, const data::Vocabulary& v) {
  models::CycleAutoencoder model(options, v, 0, at::kFloat);
  double count = 0;
  for (const auto& group : model.groups())
    for (const auto& p : group.parameters) count += static_cast<double>(p.value.numel());
  return count;
}

}  // namespace

CATCH_TEST_CASE("the cost counts the parameters that the model has", "[cycle_cost]") {
  auto v = vocabulary(30, {3, 4});
  v.fields[0].categories = {"A+B", "B", "none", "C+A"};
  models::CycleAutoencoderOptions options;
  options.latent = 5;
  for (const char* ffn : {"mlp", "linear"}) {
    for (const bool bias : {true, false}) {
      for (const auto& hidden : {std::vector<std::int64_t>{7, 6}, std::vector<std::int64_t>{}}) {
        for (const bool sets : {true, false}) {
          options.head.ffn = ffn;
          options.head.encoder_bias = options.head.decoder_bias = options.head.ffn_bias = bias;
          options.classifier_hidden = hidden;
          options.head.sets.clear();
          if (sets) options.head.sets = {{"field0", "none"}};
          const auto forms = models::cycle_step_forms(options, v, {8, 3, 1, true});
          for (const auto& form : forms.forms) {
            CATCH_CHECK(form.cost.parameters == parameters_of(options, v));
            CATCH_CHECK(form.cost.resident == 16 * form.cost.parameters);
            CATCH_CHECK(form.cost.summed == 0);
            const auto cut = models::cycle_step_forms(options, v, {8, 3, 1, true, 4}).forms.front();
            CATCH_CHECK(cut.cost.resident == 10 * form.cost.parameters);
          }
        }
      }
    }
  }
}

CATCH_TEST_CASE("the cost of a small step, counted by hand", "[cycle_cost]") {
  models::CycleAutoencoderOptions options;
  options.latent = 2;
  options.classifier_hidden = {3};
  // G 10, F 1, K = 2 * 2 + 1 = 5, F L = 2, J = 3: 10 columns in all. Behind the first classifier
  // layer 4 categories of 3 + 1 parameters. 4 networks of 2 layers of 2 * 3 parameters.
  const auto forms = models::cycle_step_forms(options, vocabulary(10, {4}), {6, 4, 2, true});
  const double both = 2 * 6 * (12 * 4 + 5 * 16);
  const auto& dense = forms.forms[0].cost;
  CATCH_CHECK(dense.flop == both + 2 * 60 * (6 * 5 + 3 * 4 + 2 * 3));
  CATCH_CHECK(dense.full_flop == 0);
  CATCH_CHECK(dense.sparse_flop == 4 * 24 * (4 + 3));
  const auto on_gpu = models::cycle_step_forms(options, vocabulary(10, {4}), {6, 4, 2, false});
  CATCH_CHECK(on_gpu.forms[0].cost.sparse_flop == 0);
  CATCH_CHECK(on_gpu.forms[0].cost.flop == dense.flop + 2 * 60 * 2 * (4 + 3));
  const double parameters = 10 * 7 + 2 + 4 * 12 + (33 + 16);
  CATCH_CHECK(dense.summed == 4 * parameters);
  const auto& factored = forms.forms[1].cost;
  CATCH_CHECK(factored.full_flop == 2 * 10 * (5 * (2.5 + 2 + 3) + 5 * (10 + 2)) / 2);
  CATCH_CHECK(factored.flop == both + 12 * 6 * 5 * 10);
  CATCH_CHECK(factored.sparse_flop == 4 * 24 * 10);
  CATCH_CHECK(factored.summed == 4 * parameters + 2 * 4 * 5 * 10);
}

CATCH_TEST_CASE("auto takes the form with less to do, and dense on a GPU", "[cycle_cost]") {
  models::ModelOptions options;
  options.cycle_autoencoder.latent = 128;
  options.cycle_autoencoder.classifier_hidden = {256};
  const auto v = vocabulary(20000, {20, 300, 3, 60});
  const auto chosen = [&](double cells, bool on_host) {
    const auto forms = models::step_forms(options, v, {cells, 1350, 1, on_host});
    return forms.forms[forms.chosen].name;
  };
  CATCH_CHECK(chosen(64, true) == "dense");
  CATCH_CHECK(chosen(2048, true) == "factored");
  CATCH_CHECK(chosen(2048, false) == "dense");
  options.cycle_autoencoder.compute = "factored";
  CATCH_CHECK(chosen(64, false) == "factored");
  options.name = "perceptron";
  CATCH_CHECK_THROWS_WITH(chosen(64, true), "no model 'perceptron'");
}
