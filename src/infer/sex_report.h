#pragma once
// Predicted sex, label and the genes that tell it, side by side: XIST of the inactive X chromosome,
// RPS4Y1 and DDX3Y of the Y chromosome. Where the input has no such gene the report says so and
// does not guess; what the genes say is no part of the prediction.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "infer/factor_prediction.h"

namespace cellmill::infer {

/// Names of the three, each with its Ensembl id, as InputOptions::watched takes them.
std::vector<std::string> sex_markers();

struct SexRow {
  std::string sample, predicted, label;  ///< label: empty where there is none
  double probability = 0;
  std::vector<double> markers;  ///< counts per million; NaN: absent from the input
  std::string markers_say;      ///< female | male | neither is expressed | marker absent: ...
};

struct SexReport {
  std::vector<SexRow> rows;
  std::vector<std::string> absent;  ///< markers that the input does not have
};

/// `markers` [cells, 3] per million, `labels` of each cell or empty.
SexReport sex_report(const PredictedField& sex, const std::vector<std::string>& samples,
                     const std::vector<std::string>& labels, const std::vector<double>& markers);

/// How often prediction, label and markers agree, and which markers are absent.
std::string text_of(const SexReport& report);
/// sample,predicted,probability,label,XIST,RPS4Y1,DDX3Y,markers_say
std::string csv_of(const SexReport& report);

}  // namespace cellmill::infer
