#pragma once
// Text formatting for every directory: fmt::format and fmt::join, from the copy that spdlog uses.
#include <spdlog/fmt/fmt.h>
#include <spdlog/fmt/ranges.h>  // fmt::join of the newer copy that torch brings
