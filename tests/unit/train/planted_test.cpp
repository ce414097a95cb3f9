#include <ATen/ATen.h>

#include <catch2/catch.hpp>

#include "comm/solo_communicator.h"
#include "data/loader.h"
#include "data/sources/synthetic_source.h"
#include "models/cycle_autoencoder.h"
#include "train/run_options.h"
#include "train/schedule.h"
#include "train/step.h"

using namespace cellmill;

namespace {

double correlation(at::Tensor a, at::Tensor b) {
  a = a - a.mean();
  b = b - b.mean();
  return (a.dot(b) / (a.norm() * b.norm())).item<double>();
}

at::Tensor expected(const data::SyntheticSource& source, const std::vector<std::int32_t>& codes) {
  return at::tensor(source.expected_expression(codes)).to(at::kFloat);
}

}  // namespace

// The only test that asks whether counterfactuals are right: cells have a planted truth. Bar: 0.83,
// the plain PyTorch reference's figure on its own planted cells.
CATCH_TEST_CASE("counterfactual shifts follow the planted ones", "[planted]") {
  data::SourceOptions what;
  what.synthetic_cells = 3000;
  what.synthetic_genes = 300;
  what.synthetic_categories = {6, 3};
  what.synthetic_density = 0.2;
  what.chunk_cells = 500;
  const data::SyntheticSource source(what);

  models::CycleAutoencoderOptions options;
  options.latent = 32;
  options.classifier_hidden = {64};
  options.targets.keep_probability = 0.5;
  options.optimiser.learning_rate = 3e-3;
  models::CycleAutoencoder model(options, source.vocabulary(), 1, at::kFloat);
  comm::SoloCommunicator alone;
  train::Stepper stepper(model, alone, 1, {});
  train::LoopOptions loop;
  loop.epochs = 12;
  const data::LoaderOptions loading;
  data::Loader loader(source, nullptr, data::plan_options(loading, 64, 1), loading, {0, 1});
  const auto steps = loop.epochs * loader.plan().steps();
  for (std::int64_t k = 0; k < steps;) {
    if (const auto batch = loader.next()) {
      stepper.step(*batch, train::schedule_factor(loop, k++, steps), {});
    }
  }

  auto plan = data::plan_options(loading, 1000, 1);
  plan.shuffle = false;
  data::Loader cells(source, nullptr, plan, loading, {0, 1});
  const auto batch = *cells.next();
  const auto& field = source.vocabulary().fields[0];
  double sum = 0;
  for (std::size_t to = 0; to < field.categories.size(); ++to) {
    const models::ContextRequest request{{0}, {field.categories[to]}};
    const auto predicted = (model.counterfactual(batch, request, models::ReadOut::kDelta) -
                            model.counterfactual(batch, {}, models::ReadOut::kDelta))
                               .mean(0);
    auto planted = at::zeros({batch.genes});
    for (std::int64_t i = 0; i < batch.size(); ++i) {
      const auto own = source.planted_codes(i);
      auto wanted = own;
      wanted[0] = static_cast<std::int32_t>(to);
      planted += expected(source, wanted) - expected(source, own);
    }
    sum += correlation(predicted, planted / batch.size());
  }
  CATCH_CHECK(sum / static_cast<double>(field.categories.size()) >= 0.83);
}
