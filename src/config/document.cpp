#include "config/document.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>

#include "base/error.h"
#include "base/utf8.h"

namespace cellmill::config {
namespace {

constexpr std::size_t kDeepest = 50;
constexpr std::size_t kMostNodes = 100'000;  // aliases of aliases grow without bound

std::size_t size(const Node& node) {
  std::size_t nodes = 1;
  for (const Node& item : node.items) nodes += size(item);
  for (const Entry& entry : node.entries) nodes += size(entry.key) + size(entry.value);
  return nodes;
}

// yaml-cpp's parser reports events; its own tree of nodes would keep neither keys given twice nor
// a second document apart from the end. It counts lines and columns from 0.
class Builder : public YAML::EventHandler {
 public:
  Node root;
  YAML::Mark start;

  void OnDocumentStart(const YAML::Mark& mark) override { start = mark; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t anchor) override { finish({}, anchor); }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Node node = at(mark, Node::Kind::kScalar);
    node.text = value;
    node.quoted = tag == "!";
    finish(std::move(node), anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw error(mark, "an anchor holds itself");
    nodes_ += size(found->second);
    if (nodes_ > kMostNodes) throw error(mark, "aliases make this text too large");
    finish(found->second, 0);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    begin(mark, Node::Kind::kList, anchor);
  }
  void OnSequenceEnd() override { end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    begin(mark, Node::Kind::kMap, anchor);
  }
  void OnMapEnd() override { end(); }

 private:
  struct Open {
    Node node;
    YAML::anchor_t anchor;
    std::optional<Node> key;
  };

  static Node at(const YAML::Mark& mark, Node::Kind kind) {
    Node node;
    node.kind = kind;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    return node;
  }
  static SyntaxError error(const YAML::Mark& mark, const std::string& what) {
    return {what, mark.line + 1, mark.column + 1};
  }

  void begin(const YAML::Mark& mark, Node::Kind kind, YAML::anchor_t anchor) {
    if (open_.size() == kDeepest) throw error(mark, "maps and lists are nested too deeply");
    open_.push_back({at(mark, kind), anchor, {}});
  }
  void end() {
    Open done = std::move(open_.back());
    open_.pop_back();
    finish(std::move(done.node), done.anchor);
  }
  void finish(Node node, YAML::anchor_t anchor) {
    if (anchor) anchors_[anchor] = node;
    if (open_.empty()) {
      root = std::move(node);
      return;
    }
    Open& parent = open_.back();
    if (parent.node.kind == Node::Kind::kList) {
      parent.node.items.push_back(std::move(node));
    } else if (!parent.key) {
      parent.key = std::move(node);
    } else {
      parent.node.entries.push_back({std::move(*parent.key), std::move(node)});
      parent.key.reset();
    }
  }

  std::vector<Open> open_;
  std::map<YAML::anchor_t, Node> anchors_;
  std::size_t nodes_ = 0;
};

}  // namespace

Node parse_yaml(const std::string& text) {
  if (const std::size_t at = utf8_ends_at(text); at != std::string::npos) {
    const std::string before = text.substr(0, at);
    const auto lines = std::count(before.begin(), before.end(), '\n');
    const auto column = code_points(before.substr(before.rfind('\n') + 1)).size();
    throw SyntaxError("is no UTF-8", static_cast<int>(lines) + 1, static_cast<int>(column) + 1);
  }
  try {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    Builder first, second;
    parser.HandleNextDocument(first);
    if (parser.HandleNextDocument(second))
      throw SyntaxError("a second document begins here; one file holds one", second.start.line + 1,
                        second.start.column + 1);
    return std::move(first.root);
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
