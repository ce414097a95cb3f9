#include "config/show.h"

#include <algorithm>

#include "base/format.h"
#include "config/value.h"

namespace cellmill::config {
namespace {

std::string comment(const FieldEntry& field) {
  std::string text = field.help;
  if (!field.check.expected.empty()) text += (text.empty() ? "" : "; ") + field.check.expected;
  return text;
}

bool directly_in(const SectionEntry& inner, const std::string& outer) {
  if (inner.key.empty()) return false;
  const auto dot = inner.key.rfind('.');
  return (dot == std::string::npos ? "" : inner.key.substr(0, dot)) == outer;
}

void dump_section(const Schema& schema, const std::string& key, int depth, Comments comments,
                  std::string& out) {
  const std::string indent(2 * depth, ' ');
  for (const FieldEntry& field : schema.fields()) {
    if (field.section != key) continue;
    out += indent + field.name + ": " + format(field.target);
    if (comments == Comments::kHelp && !comment(field).empty()) out += "  # " + comment(field);
    out += '\n';
  }
  for (const SectionEntry& section : schema.sections()) {
    if (!directly_in(section, key)) continue;
    std::string inside;
    dump_section(schema, section.key, depth + 1, comments, inside);
    if (inside.empty()) continue;
    const std::string name = section.key.substr(section.key.rfind('.') + 1);
    out += indent + name + ":";
    if (comments == Comments::kHelp && !section.help.empty()) out += "  # " + section.help;
    out += '\n' + inside;
  }
}

}  // namespace

std::string dump_schema(const Schema& schema, Comments comments) {
  std::string out;
  dump_section(schema, "", 0, comments, out);
  return out;
}

std::string explain_schema(const Schema& schema, const Layers& layers) {
  const Origins origins = read_schema(schema, layers);
  std::size_t key_width = 3, value_width = 5;
  for (const FieldEntry& field : schema.fields()) {
    key_width = std::max(key_width, field.key.size());
    value_width = std::max(value_width, std::min<std::size_t>(format(field.target).size(), 40));
  }
  std::string out = fmt::format("{:{}}  {:{}}  from\n", "key", key_width, "value", value_width);
  for (const FieldEntry& field : schema.fields())
    out += fmt::format("{:{}}  {:{}}  {}\n", field.key, key_width, format(field.target),
                       value_width, origins.at(field.key));
  return out;
}

std::string help_schema(const Schema& schema) {
  std::string out;
  for (const SectionEntry& section : schema.sections()) {
    std::vector<std::pair<std::string, std::string>> rows;
    std::size_t width = 0;
    for (const FieldEntry& field : schema.fields()) {
      if (field.section != section.key) continue;
      const std::string& range = field.check.expected;
      rows.emplace_back(
          field.key + "=" + field.default_text,
          field.help + " (" + (range.empty() ? type_name(field.target) : range) + ")");
      width = std::max(width, rows.back().first.size());
    }
    if (rows.empty()) continue;
    if (!out.empty()) out += '\n';
    if (!section.key.empty())
      out += section.key + (section.help.empty() ? "" : ": " + section.help) + "\n";
    for (const auto& [setting, help] : rows)
      out += fmt::format("  {:<{}}  {}\n", setting, width, help);
  }
  return out;
}

std::vector<Key> keys_schema(const Schema& schema) {
  std::vector<Key> keys;
  for (const FieldEntry& field : schema.fields()) {
    keys.push_back({field.key, field.help, field.check.choices});
    if (std::holds_alternative<bool*>(field.target)) keys.back().choices = {"true", "false"};
  }
  return keys;
}

}  // namespace cellmill::config
