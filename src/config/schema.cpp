#include "config/schema.h"

#include <algorithm>

#include "base/error.h"
#include "config/value.h"

namespace cellmill::config {

std::string Schema::key_of(const std::string& name) const {
  return here_.empty() ? name : here_ + "." + name;
}

void Schema::add(const std::string& name, Target target, const std::string& help, Check check) {
  const std::string key = key_of(name);
  if (find_field(key) || find_section(key)) throw InternalError("two settings are named " + key);
  if (!satisfies(target, check))
    throw InternalError("the default of " + key + ", " + format(target) + ", is not " +
                        check.expected);
  std::string text = format(target);
  fields_.push_back({key, here_, name, help, target, std::move(check), std::move(text)});
}

void Schema::enter(const std::string& name, const std::string& help) {
  const std::string key = key_of(name);
  if (find_field(key) || find_section(key)) throw InternalError("two settings are named " + key);
  sections_.push_back({key, help});
  here_ = key;
}

void Schema::leave() {
  const auto dot = here_.rfind('.');
  here_ = dot == std::string::npos ? "" : here_.substr(0, dot);
}

void Schema::rule(std::function<std::string()> broken) {
  rules_.push_back({here_, std::move(broken)});
}

const FieldEntry* Schema::find_field(const std::string& key) const {
  const auto found = std::find_if(fields_.begin(), fields_.end(),
                                  [&](const FieldEntry& field) { return field.key == key; });
  return found == fields_.end() ? nullptr : &*found;
}

const SectionEntry* Schema::find_section(const std::string& key) const {
  const auto found = std::find_if(sections_.begin(), sections_.end(),
                                  [&](const SectionEntry& s) { return s.key == key; });
  return found == sections_.end() ? nullptr : &*found;
}

std::vector<std::string> Schema::names_in(const std::string& section) const {
  std::vector<std::string> names;
  for (const FieldEntry& field : fields_)
    if (field.section == section) names.push_back(field.name);
  const std::string prefix = section.empty() ? "" : section + ".";
  for (const SectionEntry& s : sections_)
    if (!s.key.empty() && s.key.starts_with(prefix) &&
        s.key.find('.', prefix.size()) == std::string::npos && s.key != section)
      names.push_back(s.key.substr(prefix.size()));
  return names;
}

}  // namespace cellmill::config
