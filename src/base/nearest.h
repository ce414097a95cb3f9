#pragma once
// Which known name did the user mean? For the hints of errors about options, keys, models, fields
// and categories. Edit distance of Damerau and Levenshtein (optimal string alignment).
#include <string>
#include <string_view>
#include <vector>

namespace cellmill {

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The first of the nearest among `known`, or "" if none is near. Near is what differs in at most a
/// third of the longer word, or begins with `word` (three letters or more). Case does not count.
std::string nearest(std::string_view word, const std::vector<std::string>& known);

/// A hint: "did you mean X?", or else "known: a, b, c" (at most ten), or "" if nothing is known.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& known);

}  // namespace cellmill
