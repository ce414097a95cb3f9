#include "train/goodput.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/format.h"

namespace cellmill::train {
namespace {

using Part = Goodput::Part;

constexpr std::array<std::pair<Part, const char*>, 6> kParts = {
    {{Part::kCompute, "compute"},
     {Part::kData, "data"},
     {Part::kSynchronise, "synchronise"},
     {Part::kEvaluation, "evaluation"},
     {Part::kCheckpoint, "checkpoint"},
     {Part::kComparison, "comparison"}}};

}  // namespace

void Goodput::steps(const StepTimes& times) {
  seconds_[Part::kCompute] = times.forward + times.backward + times.optimise;
  seconds_[Part::kSynchronise] = times.synchronise;
}

std::map<std::string, double> Goodput::shares() const {
  const double whole = run_.seconds();
  std::map<std::string, double> shares;
  double rest = 1;
  for (const auto& [part, name] : kParts) {
    const auto found = seconds_.find(part);
    const double share = found == seconds_.end() ? 0 : found->second / whole;
    shares[std::string("goodput_") + name] = share;
    rest -= share;
  }
  shares["goodput_other"] = std::max(rest, 0.0);
  return shares;
}

std::string Goodput::text() const {
  const auto all = shares();
  std::string text = fmt::format("goodput of {:.1f} s: ", run_.seconds());
  for (const auto& [part, name] : kParts)
    text += fmt::format("{} {:.1f} %, ", name, 100 * all.at(std::string("goodput_") + name));
  return text + fmt::format("other {:.1f} %", 100 * all.at("goodput_other"));
}

}  // namespace cellmill::train
