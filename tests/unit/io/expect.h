#pragma once
// What tests of io share, besides what all do.
#include "../expect.h"

namespace cellmill::io {

inline std::string fixture(const std::string& name) { return TEST_DATA "/io/" + name; }

}  // namespace cellmill::io
