#include "train/tally.h"

#include <algorithm>

namespace cellmill::train {

void Tally::add(const std::string& name, double value, std::int64_t weight) {
  auto& entry = entries_[name];
  entry.low = entry.count ? std::min(entry.low, value) : value;
  entry.high = entry.count ? std::max(entry.high, value) : value;
  entry.sum += value * static_cast<double>(weight);
  entry.count += weight;
}

void Tally::save(const std::string& prefix, std::map<std::string, double>& reals) const {
  for (const auto& [name, entry] : entries_) {
    const auto key = prefix + "/" + name;
    reals[key + "/sum"] = entry.sum;
    reals[key + "/low"] = entry.low;
    reals[key + "/high"] = entry.high;
    reals[key + "/count"] = static_cast<double>(entry.count);
  }
}

void Tally::load(const std::string& prefix, const std::map<std::string, double>& reals) {
  clear();
  for (const auto& [key, value] : reals) {
    if (!key.starts_with(prefix + "/")) continue;
    const auto last = key.rfind('/');
    auto& entry = entries_[key.substr(prefix.size() + 1, last - prefix.size() - 1)];
    const auto part = key.substr(last + 1);
    if (part == "sum") entry.sum = value;
    if (part == "low") entry.low = value;
    if (part == "high") entry.high = value;
    if (part == "count") entry.count = static_cast<std::int64_t>(value);
  }
}

}  // namespace cellmill::train
