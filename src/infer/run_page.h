#pragma once
// A run as one page of HTML that stands alone: curves, influences of heads, the data, where time
// went, starts and machines, failures. Nothing in it refers to anything outside, and it has no
// script.
#include <optional>
#include <string>

#include "data/census_report.h"
#include "infer/run_history.h"

namespace cellmill::infer {

struct RunPage {
  RunHistory history;
  std::optional<data::CensusReport> data;
  std::string without_data;  ///< why there are none
  std::string made;          ///< "cellmill 0.1.0"
};

std::string html_of(const RunPage& page);
void write_page(const RunPage& page, const std::string& path);

}  // namespace cellmill::infer
