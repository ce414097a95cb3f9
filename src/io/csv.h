#pragma once
// A cell of a table in comma-separated text, quoted where RFC 4180 asks for it.
#include <string>

namespace cellmill::io {

inline std::string csv_text(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string out = "\"";
  for (char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

}  // namespace cellmill::io
