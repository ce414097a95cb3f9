#pragma once
// The factor on all learning rates at a step, as a pure function: linear warm-up, then constant or
// half a cosine down to 0.
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
  return 0.5 * (1 + std::cos(std::numbers::pi * std::min(1.0, done)));
}

}  // namespace cellmill::train
