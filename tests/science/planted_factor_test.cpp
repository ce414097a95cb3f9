#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <catch2/catch.hpp>
#include <optional>

#include "base/format.h"
#include "base/log.h"
#include "comm/solo_communicator.h"
#include "data/loader.h"
#include "data/sources/synthetic_source.h"
#include "metrics/calibration.h"
#include "metrics/linear_probe.h"
#include "models/factor_model.h"
#include "train/run_options.h"
#include "train/schedule.h"
#include "train/step.h"

using namespace cellmill;

namespace {

constexpr std::int64_t kCells = 6000, kTrained = 4000, kGenes = 400;
constexpr std::int64_t kType = 0, kPerturbation = 3;  // columns of the labels
constexpr std::int64_t kHeldType = 1, kHeldPerturbation = 2, kControl = 0;

data::SourceOptions what(const std::string& second, std::uint64_t seed) {
  data::SourceOptions o;
  o.synthetic_seed = seed;
  o.synthetic_cells = kCells;
  o.synthetic_genes = kGenes;
  o.synthetic_categories = {6, 2, 4, 5};
  o.synthetic_fields = {"cell_type", second, "assay", "perturbation"};
  o.synthetic_held_out = {"cell_type_1+perturbation_2"};
  o.synthetic_density = 0.85;
  o.synthetic_missing = 0.5;
  o.synthetic_counts = true;
  o.chunk_cells = 1000;
  return o;
}

models::FactorOptions settings() {
  models::FactorOptions o;
  o.latents = {8, 4, 4, false};
  o.network.hidden = 64;
  o.network.prior_hidden = 32;
  o.network.adversary_hidden = 32;
  o.loss.kl = 10;
  o.loss.labels = 50;
  o.loss.adversary = 50;
  o.dropout.blocks = 0.1;
  o.optimiser.weight_decay = 0.01;
  return o;
}

/// All cells, and what each of them is, whether or not its labels are left out.
struct Cells {
  std::uint64_t seed;
  data::SyntheticSource source;
  data::CellFilter training = data::CellFilter(kCells, false);
  data::Batch all;
  at::Tensor truth;  ///< [cells, fields]
  Cells(const std::string& second, std::uint64_t drawn) : seed(drawn), source(what(second, drawn)) {
    std::fill(training.begin(), training.begin() + kTrained, true);
    data::PlanOptions plan;
    plan.global_batch = kCells;
    plan.shuffle = false;
    data::Loader loader(source, nullptr, plan, {}, {0, 1});
    all = *loader.next();
    truth = at::empty({kCells, 4}, at::kLong);
    for (std::int64_t cell = 0; cell < kCells; ++cell) {
      const auto codes = source.planted_codes(cell);
      for (std::int64_t f = 0; f < 4; ++f) truth[cell][f] = codes[static_cast<std::size_t>(f)];
    }
  }
};

std::unique_ptr<models::FactorModel> trained(Cells& cells) {
  auto model = std::make_unique<models::FactorModel>(settings(), cells.source.vocabulary(),
                                                     cells.seed, at::kFloat);
  model->survey(data::cells_of(cells.all, 0, kTrained));
  model->finish_survey();
  comm::SoloCommunicator alone;
  train::Stepper stepper(*model, alone, 1, {});
  train::LoopOptions loop;
  loop.epochs = 40;
  const data::LoaderOptions loading;
  data::Loader loader(cells.source, &cells.training, data::plan_options(loading, 128, 1), loading,
                      {0, 1});
  const auto steps = loop.epochs * loader.plan().steps();
  for (std::int64_t k = 0; k < steps;)
    if (const auto batch = loader.next())
      stepper.step(*batch, train::schedule_factor(loop, k++, steps), {});
  auto evaluation = model->evaluation();  // finds the temperatures
  evaluation->update(data::cells_of(cells.all, kTrained, kCells), {});
  evaluation->scores();
  return model;
}

double mean_of(const at::Tensor& right) { return right.to(at::kDouble).mean().item<double>(); }

/// Rows where `condition` holds.
at::Tensor rows_where(const at::Tensor& condition) { return condition.nonzero().squeeze(1); }

/// log1p of counts per 10,000.
at::Tensor expression(const Cells& cells) {
  const auto& b = cells.all;
  const auto counts = nn::densify({b.indptr, b.indices, b.values, b.genes}, at::kDouble);
  return at::log1p(1e4 * counts / counts.sum(1, true));
}

/// Multinomial logistic regression on standardised x (ridge 1e-2), as predicted for all rows.
at::Tensor logistic(const at::Tensor& x, const at::Tensor& fit, const at::Tensor& label) {
  const auto seen = x.index_select(0, fit);
  const auto deviation = at::clamp_min(seen.std(0, false), 1e-6);
  const auto z = (x - seen.mean(0)) / deviation, z_seen = z.index_select(0, fit);
  const auto wanted = at::one_hot(label.index_select(0, fit)).to(at::kDouble);
  auto w = at::zeros({x.size(1), wanted.size(1)}, at::kDouble), ahead = w;
  auto offset = at::zeros({wanted.size(1)}, at::kDouble);
  const double rate = 2 * static_cast<double>(fit.size(0)) /
                      at::linalg_matrix_norm(z_seen, 2).square().item<double>();
  for (int k = 0; k < 300; ++k) {
    const auto error = (at::softmax(at::matmul(z_seen, ahead) + offset, 1) - wanted) /
                       static_cast<double>(fit.size(0));
    const auto next = ahead - rate * (at::matmul(z_seen.t(), error) + 1e-2 * ahead);
    offset = offset - error.sum(0);
    ahead = next + k / (k + 3.) * (next - w);
    w = next;
  }
  return (at::matmul(z, w) + offset).argmax(1);
}

double correlation(at::Tensor a, at::Tensor b) {
  a = a - a.mean();
  b = b - b.mean();
  return (a.dot(b) / (a.norm() * b.norm())).item<double>();
}

/// Shifts [genes] from control to the held-out combination: the planted one, and ways to guess it
/// from labelled training cells.
class HeldOut {
 public:
  HeldOut(const Cells& cells, models::FactorModel& model) : cells_(cells), model_(model) {
    const auto y = expression(cells).slice(0, 0, kTrained);
    const auto labels = cells.all.labels.slice(0, 0, kTrained);
    profile_ = at::zeros({6, 5, kGenes}, at::kDouble);
    for (std::int64_t t = 0; t < 6; ++t)
      for (std::int64_t p = 0; p < 5; ++p)
        profile_[t][p] = y.index_select(0, rows_where(labels.select(1, kType).eq(t) &
                                                      labels.select(1, kPerturbation).eq(p)))
                             .mean(0);
  }

  at::Tensor planted() const {
    auto mean = [&](std::int32_t perturbation) {
      auto sum = at::zeros({kGenes}, at::kDouble);
      for (std::int32_t sex = 0; sex < 2; ++sex)
        for (std::int32_t assay = 0; assay < 4; ++assay)
          sum +=
              at::tensor(cells_.source.expected_expression({kHeldType, sex, assay, perturbation}))
                  .to(at::kDouble);
      return sum / 8;
    };
    return mean(kHeldPerturbation) - mean(kControl);
  }
  /// The model's own difference of what it generates from metadata, at the means.
  at::Tensor generated(bool blank = false) const {
    return profile_of(kHeldPerturbation, blank) - profile_of(kControl, false);
  }
  /// Conditioned on control cells of the type: their biological and technical latents.
  at::Tensor conditioned() const {
    const auto& labels = cells_.all.labels;
    const auto rows =
        rows_where(labels.slice(0, 0, kTrained).select(1, kType).eq(kHeldType) &
                   labels.slice(0, 0, kTrained).select(1, kPerturbation).eq(kControl));
    std::vector<at::Tensor> shifts;
    for (std::int64_t k = 0; k < std::min<std::int64_t>(rows.size(0), 50); ++k) {
      const auto cell = rows[k].item<std::int64_t>();
      auto reference = model_.input(data::cells_of(cells_.all, cell, cell + 1));
      const auto at_value = [&](std::int64_t perturbation) {
        return model_.expected(model_.generate(metadata(perturbation, false), {}, &reference))[0];
      };
      shifts.push_back(at_value(kHeldPerturbation) - at_value(kControl));
    }
    return at::stack(shifts).mean(0).to(at::kDouble);
  }
  /// The perturbation's mean shift over the other types.
  at::Tensor additive() const {
    auto sum = at::zeros({kGenes}, at::kDouble);
    for (std::int64_t t = 0; t < 6; ++t)
      if (t != kHeldType) sum += shift(t) / 5;
    return sum;
  }
  /// Its shift in the type whose control is most like this one's.
  at::Tensor nearest_shift() const { return shift(nearest_type()); }
  /// The nearest type's perturbed cells, less this type's control.
  at::Tensor nearest_profile() const {
    return profile_[nearest_type()][kHeldPerturbation] - profile_[kHeldType][kControl];
  }

 private:
  at::Tensor shift(std::int64_t type) const {
    return profile_[type][kHeldPerturbation] - profile_[type][kControl];
  }
  std::int64_t nearest_type() const {
    auto apart = (profile_.select(1, kControl) - profile_[kHeldType][kControl]).norm(2, 1);
    apart[kHeldType] = INFINITY;
    return apart.argmin().item<std::int64_t>();
  }
  models::FactorInput metadata(std::int64_t perturbation, bool blank) const {
    auto b = data::cells_of(cells_.all, 0, 1);
    b.labels = blank ? at::full({1, 4}, -1, at::kLong)
                     : at::tensor({kHeldType, std::int64_t{-1}, std::int64_t{-1}, perturbation})
                           .view({1, 4});
    return model_.input(b);
  }
  at::Tensor profile_of(std::int64_t perturbation, bool blank) const {
    return model_.expected(model_.generate(metadata(perturbation, blank), {}))[0].to(at::kDouble);
  }

  const Cells& cells_;
  models::FactorModel& model_;
  at::Tensor profile_;  ///< [types, perturbations, genes]
};

void check_latents(const Cells& cells, models::FactorModel& model) {
  const at::NoGradGuard no_gradients;
  const auto held = data::cells_of(cells.all, kTrained, kCells);
  const auto q = model.network().encode(model.input(held), {});
  metrics::LinearProbe probe(16, 4);
  probe.update(held.cells, at::cat({q[0].mean, q[1].mean, q[2].mean}, 1),
               cells.truth.slice(0, kTrained));
  const std::array<std::int64_t, 4> own = {0, 0, 1, 2}, begin = {0, 8, 12, 16};
  for (std::int64_t f = 0; f < 4; ++f) {
    for (std::int64_t g = 0; g < 3; ++g) {
      const auto b = begin[static_cast<std::size_t>(g)];
      const auto value = probe.value(f, b, begin[static_cast<std::size_t>(g) + 1] - b);
      const auto& name = cells.source.vocabulary().fields[static_cast<std::size_t>(f)].name;
      const auto text = fmt::format("{:13} in {:13} {:.3f} (chance {:.3f})", name,
                                    models::kFactorGroupNames[static_cast<std::size_t>(g)],
                                    value.accuracy, value.chance);
      log::say(text);
      CATCH_INFO(text);
      if (own[static_cast<std::size_t>(f)] == g)
        CATCH_CHECK(value.accuracy >= 0.99);
      else
        CATCH_CHECK(value.accuracy <= value.chance + 0.15);
    }
  }
}

void check_completion(const Cells& cells, models::FactorModel& model) {
  const auto y = expression(cells);
  const auto predicted = model.probabilities(model.input(cells.all));
  const auto& fields = model.network().shape().fields;
  for (std::size_t k = 0; k < fields.size(); ++k) {
    const auto labels = cells.all.labels.select(1, fields[k].column);
    const auto truth = cells.truth.select(1, fields[k].column);
    const auto hidden = rows_where(labels.slice(0, 0, kTrained) < 0);
    const auto seen = rows_where(labels.slice(0, 0, kTrained) >= 0);
    const auto right_of = [&](const at::Tensor& guess) {
      return mean_of(guess.index_select(0, hidden).eq(truth.index_select(0, hidden)));
    };
    const double ours = right_of(predicted[k].argmax(1));
    const double theirs = right_of(logistic(y, seen, labels));
    metrics::Calibration calibration;
    calibration.update(truth.slice(0, kTrained), at::log(predicted[k].slice(0, kTrained)));
    const auto text =
        fmt::format("{:13} hidden labels {:.4f}, logistic regression {:.4f}, ECE {:.3f}",
                    fields[k].name, ours, theirs, calibration.unscaled_error());
    log::say(text);
    CATCH_INFO(text);
    CATCH_CHECK(ours >= 0.99);
    CATCH_CHECK(ours >= theirs - 0.005);
    CATCH_CHECK(calibration.unscaled_error() <= 0.05);
  }
}

void check_generation(const Cells& cells, models::FactorModel& model) {
  const HeldOut held(cells, model);
  const auto planted = held.planted();
  const auto r = [&](const char* name, const at::Tensor& shift) {
    const double value = correlation(planted, shift);
    const double error = (planted - shift).square().mean().sqrt().item<double>();
    log::say(fmt::format("{:28} r {:.3f}, RMSE {:.3f}", name, value, error));
    return value;
  };
  const double generated = r("metadata", held.generated());
  const double conditioned = r("reference", held.conditioned());
  r("additive", held.additive());
  r("nearest type's shift", held.nearest_shift());
  const double nearest = r("nearest profile", held.nearest_profile());
  const double blank = r("blank metadata", held.generated(/*blank=*/true));
  CATCH_CHECK(generated > nearest);
  CATCH_CHECK(generated > blank);
  CATCH_CHECK(conditioned > nearest);
}

void check(const std::string& second, std::uint64_t seed) {
  CATCH_INFO("seed " << seed);
  log::say(fmt::format("seed {}", seed));
  Cells cells(second, seed);
  const auto model = trained(cells);
  check_latents(cells, *model);
  check_completion(cells, *model);
  check_generation(cells, *model);
}

}  // namespace

// A planted truth of three factors. Half of all labels are hidden, one combination of type and
// perturbation has no cell. The additive and nearest-shift guesses see labelled training cells, as
// the model does; shifts are read as the model's own difference, for all cells alike.
CATCH_TEST_CASE("the factor model finds three planted factors", "[planted]") { check("sex", 1); }

// Other cells and other first values. Tissue instead of sex: the source moves eight genes of 400 a
// little by sex, which logistic regression cannot tell in other draws either (0.86 to 0.99).
CATCH_TEST_CASE("it does so with other seeds", "[seeds]") {
  for (const std::uint64_t seed : {1, 2, 3, 4, 5, 6}) check("tissue", seed);
}
