#include "config/value.h"

#include <algorithm>

#include "base/error.h"
#include "base/nearest.h"
#include "config/scalar.h"

namespace cellmill::config {
namespace {

using Texts = std::vector<std::string>;
using Wholes = std::vector<std::int64_t>;
using Reals = std::vector<double>;
using Map = std::map<std::string, std::string>;

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

const char* name_of(bool*) { return "true or false"; }
const char* name_of(std::int64_t*) { return "a whole number"; }
const char* name_of(std::uint64_t*) { return "a whole number of at least 0"; }
const char* name_of(double*) { return "a number"; }
const char* name_of(std::string*) { return "a text"; }
const char* name_of(Texts*) { return "a list of texts"; }
const char* name_of(Wholes*) { return "a list of whole numbers"; }
const char* name_of(Reals*) { return "a list of numbers"; }
const char* name_of(Map*) { return "a map of texts"; }

std::string found_in(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kNull:
      return "nothing";
    case Node::Kind::kScalar:
      return node.quoted ? "the text \"" + node.text + "\"" : node.text;
    case Node::Kind::kList:
      return "a list";
    case Node::Kind::kMap:
      return "a map";
  }
  throw InternalError("kind of a YAML node");
}

Refusal refusal(const std::string& expected, const Node& node, std::string hint = {}) {
  return {expected, found_in(node), std::move(hint), node.line, node.column};
}

std::string hint_for(const bool&, const Node& node) {
  for (const char* word : {"yes", "on", "1"})
    if (node.text == word) return "write true";
  for (const char* word : {"no", "off", "0"})
    if (node.text == word) return "write false";
  const std::string near = nearest(node.text, {"true", "false"});
  return near.empty() ? "" : "did you mean " + near + "?";
}
template <class T>
std::string hint_for(const T&, const Node& node) {
  return node.quoted ? "write it without quotes" : "";
}

template <class T>
std::optional<Refusal> read(const Node& node, T& value) {
  if (node.kind == Node::Kind::kScalar && !node.quoted && parse(node.text, value)) return {};
  return refusal(name_of(&value), node, hint_for(value, node));
}

std::optional<Refusal> read(const Node& node, std::string& value) {
  if (node.kind == Node::Kind::kNull)
    return refusal("a text", node, "write \"\" for an empty text");
  if (node.kind != Node::Kind::kScalar) return refusal("a text", node);
  value = node.text;
  return {};
}

template <class T>
std::optional<Refusal> read(const Node& node, std::vector<T>& list) {
  if (node.kind == Node::Kind::kScalar)
    return refusal(name_of(&list), node, "write [" + node.text + "]");
  if (node.kind != Node::Kind::kList)
    return refusal(name_of(&list), node,
                   node.kind == Node::Kind::kNull ? "write [] for an empty list" : "");
  for (const Node& item : node.items) {
    T value{};
    if (auto wrong = read(item, value)) return wrong;
    list.push_back(std::move(value));
  }
  return {};
}

std::optional<Refusal> read(const Node& node, Map& map) {
  if (node.kind != Node::Kind::kMap)
    return refusal(name_of(&map), node,
                   node.kind == Node::Kind::kNull ? "write {} for an empty map" : "");
  for (const Entry& entry : node.entries) {
    std::string key, value;
    if (auto wrong = read(entry.key, key)) return wrong;
    if (auto wrong = read(entry.value, value)) return wrong;
    if (!map.emplace(key, value).second)
      return Refusal{"each key once", key + " twice", "", entry.key.line, entry.key.column};
  }
  return {};
}

bool suits(const Check& check, long double number) {
  if (check.text) throw InternalError("a check of texts on a number: " + check.expected);
  return !check.number || check.number(number);
}
bool suits(const Check& check, const std::string& text) {
  if (check.number) throw InternalError("a check of numbers on a text: " + check.expected);
  return !check.text || check.text(text);
}
bool suits(const Check& check, bool) {
  if (check.number || check.text || check.count)
    throw InternalError("a check on true or false: " + check.expected);
  return true;
}
bool suits(const Check& check, std::int64_t x) { return suits(check, static_cast<long double>(x)); }
bool suits(const Check& check, std::uint64_t x) {
  return suits(check, static_cast<long double>(x));
}
bool suits(const Check& check, double x) { return suits(check, static_cast<long double>(x)); }
bool suits(const Check& check, const std::pair<const std::string, std::string>& entry) {
  return suits(check, entry.second);
}

template <class T>
bool good(const Check& check, const T& value) {
  if constexpr (requires { value.size(); })
    if (check.count && !check.count(value.size())) return false;
  if constexpr (std::is_same_v<T, std::string> || std::is_arithmetic_v<T>)
    return suits(check, value);
  else
    return std::all_of(value.begin(), value.end(), [&](const auto& x) { return suits(check, x); });
}

// The first item that the check refuses, for a place as near as can be.
const Node& culprit(const Node& node, const Check& check) {
  const auto refused = [&](const Node& item) {
    double number = 0;
    if (check.number) return parse(item.text, number) && !check.number(number);
    return check.text && !check.text(item.text);
  };
  for (const Node& item : node.items)
    if (refused(item)) return item;
  for (const Entry& entry : node.entries)
    if (refused(entry.value)) return entry.value;
  return node;
}

template <class T>
std::string format_list(const std::vector<T>& list) {
  std::string text;
  for (const T& item : list) {
    if (!text.empty()) text += ", ";
    if constexpr (std::is_same_v<T, std::int64_t>)
      text += std::to_string(item);
    else
      text += format(item);
  }
  return "[" + text + "]";
}

}  // namespace

std::string type_name(const Target& target) {
  return std::visit([](auto* value) { return std::string(name_of(value)); }, target);
}

std::string format(const Target& target) {
  return std::visit(Overloaded{
                        [](const bool* value) { return std::string(*value ? "true" : "false"); },
                        [](const std::int64_t* value) { return std::to_string(*value); },
                        [](const std::uint64_t* value) { return std::to_string(*value); },
                        [](const double* value) { return format(*value); },
                        [](const std::string* value) { return format(*value); },
                        [](const Map* map) {
                          std::string text;
                          for (const auto& [key, value] : *map)
                            text += (text.empty() ? "" : ", ") + format(key) + ": " + format(value);
                          return "{" + text + "}";
                        },
                        [](const auto* list) { return format_list(*list); },
                    },
                    target);
}

std::string canonical(const Node& node) {
  std::string text;
  switch (node.kind) {
    case Node::Kind::kNull:
      return "null";
    case Node::Kind::kScalar: {
      std::int64_t whole = 0;
      std::uint64_t large = 0;
      double real = 0;
      bool flag = false;
      if (node.quoted) return format(node.text);
      if (parse(node.text, flag)) return flag ? "true" : "false";
      if (parse(node.text, whole)) return std::to_string(whole);
      if (parse(node.text, large)) return std::to_string(large);
      return parse(node.text, real) ? format(real) : format(node.text);
    }
    case Node::Kind::kList:
      for (const Node& item : node.items) text += (text.empty() ? "" : ", ") + canonical(item);
      return "[" + text + "]";
    case Node::Kind::kMap:
      for (const Entry& entry : node.entries)
        text += (text.empty() ? "" : ", ") + canonical(entry.key) + ": " + canonical(entry.value);
      return "{" + text + "}";
  }
  throw InternalError("kind of a YAML node");
}

std::optional<Refusal> assign(const Target& target, const Check& check, const Node& node) {
  return std::visit(
      [&](auto* value) -> std::optional<Refusal> {
        std::remove_pointer_t<decltype(value)> fresh{};
        if (auto wrong = read(node, fresh)) return wrong;
        if (!good(check, fresh)) {
          const Node& item = culprit(node, check);
          Refusal wrong = refusal(check.expected, item);
          if (check.count && !check.count(0)) wrong.found = format(Target(&fresh));
          if (!check.choices.empty()) {
            const std::string near = nearest(item.text, check.choices);
            if (!near.empty()) wrong.hint = "did you mean " + near + "?";
          }
          return wrong;
        }
        *value = std::move(fresh);
        return {};
      },
      target);
}

bool satisfies(const Target& target, const Check& check) {
  return std::visit([&](const auto* value) { return good(check, *value); }, target);
}

}  // namespace cellmill::config
