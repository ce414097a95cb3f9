#include "config/document.h"

#include <yaml-cpp/yaml.h>

namespace cellmill::config {
namespace {

// yaml-cpp counts lines and bytes of a line from 0, and says -1 where it has no place.
Node convert(const YAML::Node& yaml) {
  Node node;
  node.line = yaml.Mark().line + 1;
  node.column = yaml.Mark().column + 1;
  switch (yaml.Type()) {
    case YAML::NodeType::Undefined:
    case YAML::NodeType::Null:
      break;
    case YAML::NodeType::Scalar:
      node.kind = Node::Kind::kScalar;
      node.text = yaml.Scalar();
      node.quoted = yaml.Tag() == "!";
      break;
    case YAML::NodeType::Sequence:
      node.kind = Node::Kind::kList;
      for (const YAML::Node& item : yaml) node.items.push_back(convert(item));
      break;
    case YAML::NodeType::Map:
      node.kind = Node::Kind::kMap;
      for (const auto& pair : yaml)
        node.entries.push_back({convert(pair.first), convert(pair.second)});
      break;
  }
  return node;
}

}  // namespace

Node parse_yaml(const std::string& text) {
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(text);
    if (documents.empty()) return {};
    if (documents.size() > 1) {
      const Node second = convert(documents[1]);
      throw SyntaxError("a second document begins here; one file holds one", second.line,
                        second.column);
    }
    return convert(documents[0]);
  } catch (const YAML::Exception& e) {
    throw SyntaxError("not YAML: " + e.msg, e.mark.line + 1, e.mark.column + 1);
  }
}

}  // namespace cellmill::config
