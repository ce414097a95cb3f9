#include "comm/warnings.h"

#include <algorithm>

#include "base/log.h"
#include "base/warnings.h"

namespace cellmill::comm {

std::string ranks_in_words(const std::vector<int>& ranks) {
  std::string text = ranks.size() == 1 ? "rank " : "ranks ";
  for (std::size_t i = 0; i < ranks.size();) {
    std::size_t end = i + 1;
    while (end < ranks.size() && ranks[end] == ranks[end - 1] + 1) ++end;
    if (i > 0) text += ", ";
    text += std::to_string(ranks[i]);
    if (end - i > 1) text += (end - i > 2 ? " to " : ", ") + std::to_string(ranks[end - 1]);
    i = end;
  }
  return text;
}

void SharedWarnings::share(Communicator& world) {
  if (world.size() == 1) return;
  std::string mine;
  for (const std::string& text : log::take_warnings()) (mine += text) += '\0';
  const auto texts = world.gather_texts(mine);
  if (world.rank() != 0) return;
  std::vector<std::pair<std::string, std::vector<int>>> fresh;  // in order of rank
  std::set<std::string> known;
  for (const auto& [text, ranks] : said_) known.insert(text);
  for (int rank = 0; rank < world.size(); ++rank)
    for (std::size_t at = 0; at < texts[rank].size();) {
      const auto end = texts[rank].find('\0', at);
      const auto text = texts[rank].substr(at, end - at);
      at = end + 1;
      if (!said_[text].insert(rank).second) continue;
      auto same = std::find_if(fresh.begin(), fresh.end(),
                               [&](const auto& said) { return said.first == text; });
      if (same == fresh.end()) same = fresh.insert(fresh.end(), {text, {}});
      same->second.push_back(rank);
    }
  for (auto& [text, ranks] : fresh) {
    const bool ours = ranks.front() == 0;  // and on the console already
    if (ours) ranks.erase(ranks.begin());
    if (ranks.empty()) continue;
    log::warn("{}{}: {}", ours || known.contains(text) ? "also " : "", ranks_in_words(ranks), text);
  }
  log::take_warnings();
}

}  // namespace cellmill::comm
