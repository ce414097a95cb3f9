#pragma once
// For JSON that a stranger may have written: what nlohmann would take on trust.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "io/json.h"

namespace cellmill::io {

/// For parse(): leaves out what is nested deeper than any file of ours. Copying and writing JSON
/// recurse, and what is nested a million deep would end the stack.
template <class J>
bool shallow(int depth, typename J::parse_event_t, J&) {
  return depth <= 100;
}

/// A whole number that T can hold. `get` would cut off fractions and wrap what is too large. Throws
/// nlohmann's type_error.
template <class T, class J>
T whole(const J& json) {
  if (!json.is_number_integer() ||
      !(json.is_number_unsigned() ? std::in_range<T>(json.template get<std::uint64_t>())
                                  : std::in_range<T>(json.template get<std::int64_t>())))
    throw J::type_error::create(302, "expected a whole number, found " + json.dump(), &json);
  return json.template get<T>();
}

template <class T, class J>
std::vector<T> wholes(const J& list) {
  std::vector<T> numbers;
  for (const J& item : list.template get_ref<const typename J::array_t&>())
    numbers.push_back(whole<T>(item));
  return numbers;
}

}  // namespace cellmill::io
