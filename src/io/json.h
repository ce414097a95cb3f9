#pragma once
// JSON for every directory above: manifests, metrics, vocabularies. Json keeps keys in the order in
// which they were put. Library: nlohmann/json.
#include <nlohmann/json.hpp>

namespace cellmill::io {

using Json = nlohmann::ordered_json;

/// For parse(): leaves out what is nested deeper than any file of ours. Copying and writing JSON
/// recurse, and what a stranger nested a million deep would end the stack.
template <class J>
bool not_deep(int depth, typename J::parse_event_t, J&) {
  return depth <= 100;
}

}  // namespace cellmill::io
