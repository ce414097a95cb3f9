#include "config/scalar.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <type_traits>

#include "base/format.h"

namespace cellmill::config {
namespace {

template <class Number>
bool parse_exactly(std::string_view text, Number& value) {
  if (text.starts_with('+')) text.remove_prefix(1);
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  value = number;
  return true;
}

template <class Whole>
bool parse_whole(const std::string& text, Whole& value) {
  if (parse_exactly(text, value)) return true;
  double real = 0;  // 1e6 is a whole number too
  if (!parse(text, real) || std::trunc(real) != real || std::abs(real) > 0x1p53) return false;
  if (real < 0 && std::is_unsigned_v<Whole>) return false;
  value = static_cast<Whole>(real);
  return true;
}

bool plain(const std::string& text) {
  constexpr const char* letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_/";
  if (text.empty() || text.find_first_of(letters) != 0) return false;
  std::string lower = text;
  std::transform(lower.begin(), lower.end(), lower.begin(), ::tolower);
  for (const char* word : {"true", "false", "null", "yes", "no", "on", "off"})
    if (lower == word) return false;
  return text.find_first_not_of(std::string(letters) + "0123456789.+-") == std::string::npos;
}

}  // namespace

bool parse(const std::string& text, bool& value) {
  if (text != "true" && text != "True" && text != "false" && text != "False") return false;
  value = text[0] == 't' || text[0] == 'T';
  return true;
}

bool parse(const std::string& text, double& value) {
  if (text == ".inf" || text == "-.inf") {
    value = std::numeric_limits<double>::infinity() * (text[0] == '-' ? -1 : 1);
    return true;
  }
  const bool digits = text.find_first_of("0123456789") != std::string::npos;  // not "inf", "nan"
  return digits && parse_exactly(text, value);
}

bool parse(const std::string& text, std::int64_t& value) { return parse_whole(text, value); }
bool parse(const std::string& text, std::uint64_t& value) { return parse_whole(text, value); }

std::string format(double value) {
  if (std::isinf(value)) return value < 0 ? "-.inf" : ".inf";
  return fmt::format("{}", value);
}

std::string format(const std::string& text) {
  if (plain(text)) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      (quoted += '\\') += c;
    else if (c == '\n')
      quoted += "\\n";
    else if (static_cast<unsigned char>(c) < 0x20)
      quoted += fmt::format("\\x{:02x}", c);
    else
      quoted += c;
  }
  return quoted + '"';
}

}  // namespace cellmill::config
