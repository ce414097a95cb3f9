#include "config/read.h"

#include <set>

#include "base/error.h"
#include "base/nearest.h"
#include "base/utf8.h"
#include "config/value.h"

namespace cellmill::config {
namespace {

// A layer: a file, or one --set (then `file` is null).
struct Layer {
  const Text* file;
  std::string setting;

  std::string place(int line, int column) const {
    if (!file) return "--set " + setting;
    return file->name + ":" + std::to_string(line) + ":" + std::to_string(column);
  }
};

struct Origin {
  const Layer* layer = nullptr;  // null: default
  int line = 0, column = 0;
  std::size_t order = 0;
};

struct Problem {
  std::string text;  // place, message and excerpt
  std::string hint;
};

bool names_word(const std::string& text, const std::string& word) {
  const auto part_of_word = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
  };
  for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if ((at == 0 || !part_of_word(text[at - 1])) &&
        (end == text.size() || !part_of_word(text[end])))
      return true;
  }
  return false;
}

class Reader {
 public:
  explicit Reader(const Schema& schema) : schema_(schema) {}

  void read_file(const Layer& layer) {
    try {
      const Node root = parse_yaml(layer.file->text);
      if (root.kind != Node::Kind::kNull) read_section(layer, root, "");
    } catch (const SyntaxError& e) {
      const bool star = std::string_view(e.what()).starts_with("not YAML") &&
                        excerpt(layer.file->text, e.line, e.column).find('*') != std::string::npos;
      complain(layer, e.line, e.column, e.what(),
               star ? "a text that begins with * stands in quotes" : "");
    }
  }

  void read_setting(const Layer& layer) {
    const auto equals = layer.setting.find('=');
    if (equals == std::string::npos || equals == 0)
      return complain(layer, 0, 0, "expected key=value", "for example --set train.steps=100");
    const std::string key = layer.setting.substr(0, equals);
    const std::string value = layer.setting.substr(equals + 1);
    if (utf8_ends_at(layer.setting) != std::string::npos)
      return complain(layer, 0, 0, "is no UTF-8", "");
    const FieldEntry* field = schema_.find_field(key);
    if (!field && !schema_.find_section(key)) return unknown(layer, key, 0, 0);
    try {
      const bool text = field && std::holds_alternative<std::string*>(field->target) &&
                        value.find_first_of("\"'") != 0;
      Node node;
      if (text) {
        node.kind = Node::Kind::kScalar;
        node.text = value;
      } else {
        node = parse_yaml(value);
      }
      field ? read_field(layer, node, *field, node) : read_section(layer, node, key);
    } catch (const SyntaxError& e) {
      complain(layer, 0, 0, e.what(), "");
    }
  }

  void ask_rules() {
    for (const RuleEntry& rule : schema_.rules()) {
      const std::string wrong = rule.broken();
      if (wrong.empty()) continue;
      const Origin origin = origin_of_rule(rule, wrong);
      const std::string text = rule.section.empty() ? wrong : rule.section + ": " + wrong;
      if (origin.layer)
        complain(*origin.layer, origin.line, origin.column, text, "");
      else
        problems_.push_back({text, ""});
    }
  }

  void throw_problems() const {
    if (problems_.empty()) return;
    if (problems_.size() == 1)
      throw UsageError(problems_[0].text, problems_[0].hint, Exit::kConfig);
    std::string text = std::to_string(problems_.size()) + " problems in the configuration";
    for (const Problem& problem : problems_) {
      text += "\n" + problem.text;
      if (!problem.hint.empty()) text += "\n  hint: " + problem.hint;
    }
    throw UsageError(text, "", Exit::kConfig);
  }

  Origins origins() const {
    Origins result;
    for (const FieldEntry& field : schema_.fields()) {
      const auto found = origins_.find(field.key);
      if (found == origins_.end())
        result[field.key] = "default";
      else if (const Layer& layer = *found->second.layer; layer.file)
        result[field.key] = layer.file->name + ":" + std::to_string(found->second.line);
      else
        result[field.key] = "--set";
    }
    return result;
  }

 private:
  void read_section(const Layer& layer, const Node& node, const std::string& section) {
    if (node.kind == Node::Kind::kNull) return;
    if (node.kind != Node::Kind::kMap)
      return complain(layer, node.line, node.column,
                      (section.empty() ? "" : section + ": ") +
                          "expected a map of settings; found " + canonical(node),
                      "");
    std::set<std::string> seen;
    for (const Entry& entry : node.entries) {
      const std::string& name = entry.key.text;
      const std::string key = section.empty() ? name : section + "." + name;
      if (!seen.insert(name).second)
        complain(layer, entry.key.line, entry.key.column, key + " is given twice in this map", "");
      else if (const FieldEntry* field = schema_.find_field(key))
        read_field(layer, entry.value, *field, entry.key);
      else if (!name.empty() && schema_.find_section(key))
        read_section(layer, entry.value, key);
      else
        unknown(layer, key, entry.key.line, entry.key.column);
    }
  }

  void read_field(const Layer& layer, const Node& node, const FieldEntry& field, const Node& key) {
    origins_[field.key] = {&layer, key.line, key.column, ++order_};
    if (const auto wrong = assign(field.target, field.check, node)) {
      const bool placed = wrong->line > 0;
      complain(layer, placed ? wrong->line : key.line, placed ? wrong->column : key.column,
               field.key + ": expected " + wrong->expected + "; found " + wrong->found,
               wrong->hint);
    }
  }

  void unknown(const Layer& layer, const std::string& key, int line, int column) {
    std::string section = key;
    do {
      const auto dot = section.rfind('.');
      section.resize(dot == std::string::npos ? 0 : dot);
    } while (!schema_.find_section(section));
    const std::string name = section.empty() ? key : key.substr(section.size() + 1);
    complain(layer, line, column, "unknown key " + key, hint_for(section, name, key));
  }

  // A sibling of that name; or else, where the section is unknown too, the whole key but for a
  // slip; or else a key elsewhere of nearly that name; or else what is known here.
  std::string hint_for(const std::string& section, const std::string& name,
                       const std::string& key) const {
    const std::string prefix = section.empty() ? "" : section + ".";
    const std::string sibling = nearest(name, schema_.names_in(section));
    if (!sibling.empty()) return "did you mean " + prefix + sibling + "?";
    std::vector<std::string> keys, leaves;
    for (const FieldEntry& field : schema_.fields()) {
      keys.push_back(field.key);
      leaves.push_back(field.name);
    }
    const bool section_unknown = name.find('.') != std::string::npos;
    const std::string near = nearest(key, keys);
    if (section_unknown && !near.empty() && edit_distance(key, near) <= 2)
      return "did you mean " + near + "?";
    const std::string leaf = nearest(key.substr(key.rfind('.') + 1), leaves);
    for (std::size_t i = 0; i < keys.size() && !leaf.empty(); ++i)
      if (leaves[i] == leaf) return "did you mean " + keys[i] + "?";
    if (section_unknown && !near.empty()) return "did you mean " + near + "?";
    return did_you_mean(name, schema_.names_in(section));
  }

  // The place of the latest set field that the text names.
  Origin origin_of_rule(const RuleEntry& rule, const std::string& text) const {
    Origin latest;
    for (const auto& [key, origin] : origins_) {
      const bool inside = rule.section.empty() || key.starts_with(rule.section + ".");
      const std::string leaf = key.substr(key.rfind('.') + 1);
      if (inside && origin.order > latest.order && names_word(text, leaf)) latest = origin;
    }
    return latest;
  }

  void complain(const Layer& layer, int line, int column, const std::string& message,
                const std::string& hint) {
    std::string text = layer.place(line, column) + ": " + message;
    const std::string shown = layer.file ? excerpt(layer.file->text, line, column) : "";
    if (!shown.empty()) text += "\n" + shown;
    problems_.push_back({text, hint});
  }

  const Schema& schema_;
  std::map<std::string, Origin> origins_;
  std::vector<Problem> problems_;
  std::size_t order_ = 0;
};

}  // namespace

Origins read_schema(const Schema& schema, const Layers& layers) {
  std::vector<Layer> all;
  for (const Text& file : layers.files) all.push_back({&file, ""});
  for (const std::string& setting : layers.settings) all.push_back({nullptr, setting});
  Reader reader(schema);
  for (const Layer& layer : all) layer.file ? reader.read_file(layer) : reader.read_setting(layer);
  reader.ask_rules();
  reader.throw_problems();
  return reader.origins();
}

}  // namespace cellmill::config
