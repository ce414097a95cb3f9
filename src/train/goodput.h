#pragma once
// Goodput: where the time of a run went, as shares of its wall time. "data" is waiting for batches
// and moving them to the device; "synchronise" holds the waiting for slower ranks; "other" is what
// the rest leaves: opening files, building the model, writing curves. Rank 0's view.
#include <map>
#include <string>

#include "base/stopwatch.h"
#include "train/step.h"

namespace cellmill::train {

class Goodput {
 public:
  enum class Part { kData, kCompute, kSynchronise, kEvaluation, kCheckpoint, kComparison };

  void add(Part part, double seconds) { seconds_[part] += seconds; }
  /// The sums of all steps so far.
  void steps(const StepTimes& times);
  /// By name of the part with "goodput_" before it; they add up to 1.
  std::map<std::string, double> shares() const;
  /// "goodput of 12.3 s: compute 81.0 %, data 2.1 %, ..."
  std::string text() const;

 private:
  Stopwatch run_;
  std::map<Part, double> seconds_;
};

}  // namespace cellmill::train
