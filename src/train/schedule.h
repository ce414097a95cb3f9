#pragma once
// The factor on all learning rates at a step, as a pure function: linear warm-up, then constant, or
// a line or half a cosine down to 0.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "train/run_options.h"

namespace cellmill::train {

inline double schedule_factor(const LoopOptions& options, std::int64_t step, std::int64_t steps) {
  const auto warmup = options.warmup_steps;
  if (step < warmup) return static_cast<double>(step + 1) / static_cast<double>(warmup);
  if (options.schedule == "constant") return 1;
  const double done = static_cast<double>(step - warmup) /
                      static_cast<double>(std::max<std::int64_t>(1, steps - warmup));
  if (options.schedule == "linear") return std::max(0.0, 1 - done);
  return 0.5 * (1 + std::cos(std::numbers::pi * std::min(1.0, done)));
}

}  // namespace cellmill::train
