#pragma once
// What the program says of itself without doing anything. Needs no library, so that it is said at
// once.
#include <string>

namespace cellmill::front {

/// The answer to `first`, the first argument, if it asks for the overview (or is missing: "") or
/// the version; empty otherwise.
std::string answer(const std::string& first);

}  // namespace cellmill::front
