#include "config/document.h"

#include <yaml-cpp/yaml.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/error.h"

namespace cellmill::config {
namespace {

// yaml-cpp counts from 0, and places an empty value wherever it noticed that it is empty.
Node convert(const YAML::Node& yaml) {
  Node node;
  if (!yaml.IsNull()) {
    node.line = yaml.Mark().line + 1;
    node.column = yaml.Mark().column + 1;
  }
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

std::string excerpt(const std::string& text, int line, int column) {
  std::istringstream lines(text);
  std::string content;
  for (int i = 0; i < line; ++i)
    if (!std::getline(lines, content)) return {};
  if (line < 1) return {};
  if (content.ends_with('\r')) content.pop_back();
  std::string caret = "    ";
  for (int i = 0; i + 1 < column && i < static_cast<int>(content.size()); ++i) {
    const bool continuation = (content[i] & 0xC0) == 0x80;  // of a UTF-8 character
    if (!continuation) caret += content[i] == '\t' ? '\t' : ' ';
  }
  return "    " + content + "\n" + caret + "^";
}

Text load_text(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored))
    throw DataError({path, "", "a text file", "a folder"}, "cannot read", "", Exit::kNoInput);
  std::ifstream stream(path, std::ios::binary);
  const int reason = errno;
  if (!stream)
    throw DataError({path, "", "", ""}, std::string("cannot open: ") + std::strerror(reason),
                    "paths are relative to the folder the program was started in",
                    reason == ENOENT || reason == ENOTDIR ? Exit::kNoInput : Exit::kIo);
  std::ostringstream text;
  text << stream.rdbuf();
  if (stream.bad()) throw DataError({path, "", "", ""}, "cannot read", "", Exit::kIo);
  return {path, text.str()};
}

}  // namespace cellmill::config
