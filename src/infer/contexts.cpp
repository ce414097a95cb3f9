#include "infer/contexts.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/nearest.h"

namespace cellmill::infer {
namespace {

std::set<std::string> elements(const std::string& text) {
  std::set<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('+', begin), text.size());
    parts.insert(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::size_t field_place(const std::string& name, const data::Vocabulary& model,
                        const std::string& option) {
  std::vector<std::string> known;
  for (const data::Field& field : model.fields) known.push_back(field.name);
  const auto it = std::find(known.begin(), known.end(), name);
  if (it == known.end())
    throw UsageError(option + ": the model has no field '" + name + "'", did_you_mean(name, known));
  return static_cast<std::size_t>(it - known.begin());
}

std::string known_value(const std::string& setting, const std::string& value,
                        const data::Field& field) {
  const auto& known = field.categories;
  if (std::find(known.begin(), known.end(), value) != known.end()) return value;
  if (value.find('+') != std::string::npos) {
    std::set<std::string> atoms;
    for (const std::string& category : known) {
      if (same_set(category, value)) return category;
      atoms.merge(elements(category));
    }
    const auto wanted = elements(value);
    if (std::includes(atoms.begin(), atoms.end(), wanted.begin(), wanted.end())) return value;
  }
  throw UsageError("--set-context " + setting + ": the model knows no " + field.name + " '" +
                       value + "' among its " + std::to_string(known.size()),
                   did_you_mean(value, known));
}

}  // namespace

bool same_set(const std::string& a, const std::string& b) {
  return a == b || (a.size() == b.size() && elements(a) == elements(b));
}

models::ContextRequest parse_contexts(const std::vector<std::string>& settings,
                                      const data::Vocabulary& model) {
  models::ContextRequest request;
  for (const std::string& setting : settings) {
    const auto equals = setting.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == setting.size())
      throw UsageError("--set-context " + setting + " is not FIELD=VALUE",
                       "for example --set-context cell_type=beta");
    const auto field = static_cast<std::int64_t>(
        field_place(setting.substr(0, equals), model, "--set-context " + setting));
    if (std::find(request.fields.begin(), request.fields.end(), field) != request.fields.end())
      throw UsageError("--set-context gives " + setting.substr(0, equals) + " twice");
    request.values.push_back(known_value(setting, setting.substr(equals + 1), model.fields[field]));
    request.fields.push_back(field);
  }
  if (request.fields.empty()) throw UsageError("nothing to change", "--set-context FIELD=VALUE");
  return request;
}

RoleFinder::RoleFinder(const models::ContextRequest& request, const std::vector<std::string>& match,
                       const data::Vocabulary& model)
    : request_(request) {
  const auto asked = [&](std::size_t f) {
    return std::find(request.fields.begin(), request.fields.end(), static_cast<std::int64_t>(f)) !=
           request.fields.end();
  };
  for (const std::string& name : match) {
    match_.push_back(field_place(name, model, "--match " + name));
    if (asked(match_.back()))
      throw UsageError("--match " + name + ": this field is the one that is changed");
  }
  if (match.empty())
    for (std::size_t f = 0; f < model.fields.size(); ++f)
      if (!asked(f)) match_.push_back(f);
  for (std::size_t f : match_) match_names_.push_back(model.fields[f].name);
}

CellRoles RoleFinder::roles(const Cells& cells, const Input& input) {
  const std::size_t fields = input.fields().size();
  const auto text = [&](std::int64_t i, std::size_t f) -> const std::string* {
    const std::int32_t code = cells.own[i * fields + f];
    return code < 0 ? nullptr : &input.fields()[f].categories[code];
  };
  CellRoles roles;
  for (std::int64_t i = 0; i < cells.batch.size(); ++i) {
    Role role = Role::kWanted;
    for (std::size_t k = 0; k < request_.fields.size(); ++k) {
      const std::string* own = text(i, static_cast<std::size_t>(request_.fields[k]));
      if (!own) {
        role = Role::kNone;
        break;
      }
      if (!same_set(*own, request_.values[k])) role = Role::kSource;
    }
    std::string type;
    for (std::size_t f : match_) {
      if (!input.has_field(f)) continue;
      const std::string* own = text(i, f);
      type += (type.empty() ? "" : " | ") + (own ? *own : std::string("(unknown)"));
    }
    if (type.empty()) type = "(all)";
    if (!place_.count(type) && type_names_.size() >= kMaxTypes) type = "(others)";
    const auto [it, is_new] = place_.emplace(type, static_cast<std::int64_t>(type_names_.size()));
    if (is_new) type_names_.push_back(type);
    roles.role.push_back(role);
    roles.type.push_back(it->second);
  }
  return roles;
}

std::string RoleFinder::match_text() const {
  std::string text;
  for (const std::string& name : match_names_) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace cellmill::infer
