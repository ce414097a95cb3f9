#pragma once
// For parse(): leaves out what is nested deeper than any file of ours. Copying and writing JSON
// recurse, and what a stranger nested a million deep would end the stack.
#include "io/json.h"

namespace cellmill::io {

template <class J>
bool shallow(int depth, typename J::parse_event_t, J&) {
  return depth <= 100;
}

}  // namespace cellmill::io
