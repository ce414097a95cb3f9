#pragma once
// Nearly all of a request is lists of plain counts. They are read where they stand and taken out
// of the text, so that what reads JSON has little left to read.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "serve/predictor.h"

namespace cellmill::serve {

struct LiftedCounts {
  std::string text;                                   ///< with [] for each list
  std::vector<std::pair<std::size_t, Counts>> lists;  ///< and where in `text` that stands
};

/// The lists of `genes` counts behind "counts":, which in a JSON text is never part of another
/// text. Nothing if there are none or more than `most`. `body` gets spare capacity.
std::optional<LiftedCounts> lift_counts(std::string& body, std::size_t genes, std::size_t most);

}  // namespace cellmill::serve
