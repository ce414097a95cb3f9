#include "serve/lifted_counts.h"

#include "serve/plain_counts.h"

namespace cellmill::serve {

std::optional<LiftedCounts> lift_counts(std::string& body, std::size_t genes, std::size_t most) {
  constexpr std::string_view kKey = "\"counts\"", kBlanks = " \t\r\n";
  body.reserve(body.size() + 1 + kPlainBehind);
  LiftedCounts lifted;
  std::size_t taken = 0;
  for (std::size_t at = 0; (at = body.find(kKey, at)) != std::string::npos;) {
    at = body.find_first_not_of(kBlanks, at + kKey.size());
    if (at == std::string::npos || body[at] != ':') continue;
    at = body.find_first_not_of(kBlanks, at + 1);
    if (at == std::string::npos || body[at] != '[') continue;
    Counts counts;
    const char* end = read_plain_counts(body.c_str() + at, genes, counts);
    if (!end) continue;
    if (lifted.lists.size() == most) return {};
    lifted.text.append(body, taken, at - taken);
    lifted.lists.emplace_back(lifted.text.size(), std::move(counts));
    lifted.text += "[]";
    at = taken = static_cast<std::size_t>(end - body.c_str());
  }
  if (lifted.lists.empty()) return {};
  lifted.text.append(body, taken);
  return lifted;
}

}  // namespace cellmill::serve
