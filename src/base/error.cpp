#include "base/error.h"

namespace cellmill {

std::string Error::text() const {
  return hint_.empty() ? what() : std::string(what()) + "\n  hint: " + hint_;
}

namespace {
std::string sentence(const DataError::Place& place, const std::string& what) {
  std::string text = place.file;
  if (!place.where.empty()) text += (text.empty() ? "" : ": ") + place.where;
  text += (text.empty() ? "" : ": ") + what;
  if (!place.expected.empty()) text += "; expected " + place.expected;
  if (!place.found.empty()) text += "; found " + place.found;
  return text;
}
}  // namespace

DataError::DataError(const Place& place, const std::string& what, std::string hint, Exit code)
    : Error(code, sentence(place, what), std::move(hint)) {}

}  // namespace cellmill
