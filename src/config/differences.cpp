#include <algorithm>
#include <utility>

#include "base/error.h"
#include "config/show.h"
#include "config/value.h"

namespace cellmill::config {
namespace {

using Leaves = std::vector<std::pair<std::string, std::string>>;

void collect(const Node& node, const std::string& key, Leaves& leaves) {
  if (node.kind != Node::Kind::kMap || node.entries.empty()) {
    leaves.emplace_back(key, canonical(node));
    return;
  }
  for (const Entry& entry : node.entries)
    collect(entry.value, key.empty() ? entry.key.text : key + "." + entry.key.text, leaves);
}

Leaves leaves_of(const Text& text) {
  try {
    Leaves leaves;
    const Node root = parse_yaml(text.text);
    if (root.kind != Node::Kind::kNull) collect(root, "", leaves);
    return leaves;
  } catch (const SyntaxError& e) {
    throw UsageError(text.name + ":" + std::to_string(e.line) + ":" + std::to_string(e.column) +
                         ": " + e.what() + "\n" + excerpt(text.text, e.line, e.column),
                     "", Exit::kConfig);
  }
}

const std::string* find(const Leaves& leaves, const std::string& key) {
  for (const auto& [name, value] : leaves)
    if (name == key) return &value;
  return nullptr;
}

}  // namespace

std::vector<Difference> differences(const Text& left, const Text& right) {
  const Leaves ours = leaves_of(left), theirs = leaves_of(right);
  std::vector<Difference> found;
  for (const auto& [key, value] : ours) {
    const std::string* other = find(theirs, key);
    if (!other || *other != value) found.push_back({key, value, other ? *other : kAbsent});
  }
  for (const auto& [key, value] : theirs)
    if (!find(ours, key)) found.push_back({key, kAbsent, value});
  return found;
}

}  // namespace cellmill::config
