#include "train/straggler.h"

#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/format.h"
#include "base/log.h"

namespace cellmill::train {
namespace {

constexpr double kSlow = 1.35;        // between noise and the 1.5 that must be found
constexpr double kErrors = 3.5;       // standard errors of a median beyond chance
constexpr double kLeast = 0.5e-3;     // seconds a step that are worth a word
constexpr double kLeastSaving = 0.1;  // share of a rank's time that slow saves must take
constexpr std::size_t kSaves = 16, kLateSaves = 3;

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

template <class F>
double median_of_others(const std::vector<TypicalTime>& ranks, std::size_t rank, const F& value) {
  std::vector<double> others;
  for (std::size_t r = 0; r < ranks.size(); ++r)
    if (r != rank) others.push_back(value(ranks[r]));
  return median(others);
}

std::optional<Straggler> slow_in_steps(const std::vector<TypicalTime>& ranks, std::size_t r) {
  const auto others = [&](auto member) {
    return median_of_others(ranks, r, [=](const TypicalTime& t) { return t.*member; });
  };
  const double usual = others(&TypicalTime::both);
  const double scatter = std::max(ranks[r].scatter, others(&TypicalTime::scatter));
  const double error = 1.25 * scatter / std::sqrt(OwnTimes::kWindow) *
                       std::sqrt(1 + 1.0 / static_cast<double>(ranks.size() - 1));
  const double excess = ranks[r].both - usual;
  if (usual <= 0 || excess < kLeast ||
      std::log(ranks[r].both / usual) < std::max(std::log(kSlow), kErrors * error))
    return {};
  const double data = ranks[r].data - others(&TypicalTime::data);
  const double compute = ranks[r].compute - others(&TypicalTime::compute);
  return Straggler{static_cast<int>(r), data > compute ? "data" : "compute", ranks[r].both / usual,
                   excess};
}

std::optional<Straggler> slow_in_saves(const TypicalTime& t, std::size_t r) {
  if (t.usual_save <= 0 || t.late_saves < kSlow * t.usual_save || t.saving < kLeastSaving)
    return {};
  return Straggler{static_cast<int>(r), "save", t.late_saves / t.usual_save,
                   t.late_saves - t.usual_save};
}

std::string hint(const std::string& kind) {
  if (kind == "data") return "its disk, or the processors of its loader threads, are slower";
  if (kind == "save") return "its disk writes more slowly than before";
  return "its processors are slower, or others use them";
}

}  // namespace

void OwnTimes::add(const OwnTime& step) {
  steps_.push_back(step);
  if (steps_.size() > kWindow) steps_.pop_front();
  if (step.save <= 0) return;
  saves_.push_back(step.save);
  if (saves_.size() > kSaves) saves_.pop_front();
}

TypicalTime OwnTimes::typical() const {
  std::vector<double> data, compute, both, distance;
  double all = 0, saving = 0;
  for (const auto& s : steps_) {
    data.push_back(s.data);
    compute.push_back(s.compute);
    both.push_back(s.data + s.compute);
    all += both.back() + s.save;
    saving += s.save;
  }
  TypicalTime t{median(data), median(compute), median(both)};
  for (const double x : both) distance.push_back(std::abs(std::log(std::max(x / t.both, 1e-9))));
  t.scatter = 1.48 * median(distance);
  t.saving = all > 0 ? saving / all : 0;
  if (saves_.size() >= 2 * kLateSaves) {
    const auto late = saves_.end() - kLateSaves;
    t.late_saves = *std::min_element(late, saves_.end());
    t.usual_save = median({saves_.begin(), late});
  }
  return t;
}

std::optional<Straggler> find_straggler(const std::vector<TypicalTime>& ranks) {
  std::optional<Straggler> slowest;
  for (std::size_t r = 0; ranks.size() > 1 && r < ranks.size(); ++r)
    for (const auto& found : {slow_in_steps(ranks, r), slow_in_saves(ranks[r], r)})
      if (found && (!slowest || found->excess > slowest->excess)) slowest = found;
  return slowest;
}

std::optional<Straggler> StragglerWatch::step(const OwnTime& own) {
  own_.add(own);
  if (world_.size() == 1 || ++steps_ % kEvery != 0 || !own_.full()) return {};
  auto mine = own_.typical();
  static_assert(sizeof mine % sizeof(double) == 0);
  const auto all = world_.all_gather(
      at::from_blob(&mine, {1, sizeof mine / sizeof(double)}, at::TensorOptions(at::kDouble)));
  std::vector<TypicalTime> ranks(static_cast<std::size_t>(world_.size()));
  std::memcpy(ranks.data(), all.const_data_ptr(), all.nbytes());
  const auto [low, high] = std::minmax_element(
      ranks.begin(), ranks.end(), [](const auto& a, const auto& b) { return a.both < b.both; });
  skew_ = high->both - low->both;
  const auto found = find_straggler(ranks);
  if (!found) return {};
  named_.resize(ranks.size(), -kSilence);
  auto& named = named_[static_cast<std::size_t>(found->rank)];
  if (steps_ - named < kSilence) return {};
  named = steps_;
  log::warn(
      "rank {} is slow in {}: {:.2f} times {}, {:.1f} ms more a {}; the others wait for it ({})",
      found->rank, found->kind, found->ratio,
      found->kind == "save" ? "its earlier saves" : "the other ranks' time", 1e3 * found->excess,
      found->kind == "save" ? "save" : "step", hint(found->kind));
  return found;
}

}  // namespace cellmill::train
