#include "base/nearest.h"

#include <algorithm>
#include <cctype>

namespace cellmill {
namespace {

std::string lower(std::string_view word) {
  std::string text(word);
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
  std::string best;
  std::size_t best_distance = 0;
  for (const std::string& name : known) {
    const std::size_t distance = edit_distance(lower(word), lower(name));
    const std::size_t longer = std::max(word.size(), name.size());
    const bool beginning = word.size() >= 3 && lower(name).starts_with(lower(word));
    if (3 * distance > longer && !beginning) continue;
    if (best.empty() || distance < best_distance) best = name, best_distance = distance;
  }
  return best;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known) {
  if (known.empty()) return {};
  const std::string best = nearest(word, known);
  if (!best.empty()) return "did you mean " + best + "?";
  std::string text = "known: ";
  for (std::size_t i = 0; i < known.size() && i < 10; ++i) text += (i ? ", " : "") + known[i];
  return known.size() > 10 ? text + ", ..." : text;
}

}  // namespace cellmill
