#pragma once
// A forecast as tables for a terminal, and as JSON.
#include <string>
#include <vector>

#include "io/json.h"
#include "train/forecast.h"

namespace cellmill::train {

struct ForecastReport {
  Machine machine;
  Work work;
  std::string model;
  std::int64_t genes = 0;
  std::vector<double> data_sets;  ///< cells, for hours an epoch
  std::vector<StepForecast> step;
  std::vector<RanksForecast> ranks;
};

/// Forecasts up to `most` ranks.
ForecastReport make_report(const Machine& machine, const Work& work, double most);

std::string text_of(const ForecastReport& report);
io::Json json_of(const ForecastReport& report);

}  // namespace cellmill::train
