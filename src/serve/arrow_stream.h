#pragma once
// Answers of the synchronous mode: an Apache Arrow IPC stream of one record batch, a row a sample,
// counts without a copy a number. Library: libarrow, the one inside the pinned pyarrow wheel, so
// that writer and the clients' reader are one project.
#include <string>
#include <vector>

#include "serve/answer.h"

namespace cellmill::serve {

inline constexpr const char* kArrowType = "application/vnd.apache.arrow.stream";

/// Throws InternalError for what is not finite.
std::string arrow_stream(Task task, const ModelFacts& facts,
                         const std::vector<std::string>& metadata,
                         const std::vector<Prediction>& predictions);

}  // namespace cellmill::serve
