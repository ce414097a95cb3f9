#pragma once
// A YAML text as a tree of values that know their place. Only document.cpp knows a YAML library.
#include <stdexcept>
#include <string>
#include <vector>

namespace cellmill::config {

/// A named text: a run file as rank 0 read it, or a config from a checkpoint.
struct Text {
  std::string name;
  std::string text;
};

struct Entry;

struct Node {
  enum class Kind { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  std::string text;     ///< of a scalar
  bool quoted = false;  ///< a scalar in quotes: text, whatever it looks like
  int line = 0;         ///< from 1; 0 for a null, which has no place
  int column = 0;       ///< from 1, in characters
  std::vector<Node> items;
  std::vector<Entry> entries;  ///< of a map, in order, keys as they stand (even if twice)
};

struct Entry {
  Node key;
  Node value;
};

/// What the parser did not understand.
struct SyntaxError : std::runtime_error {
  SyntaxError(const std::string& what, int line, int column, std::string hint = "")
      : std::runtime_error(what), line(line), column(column), hint(std::move(hint)) {}
  int line, column;
  std::string hint;
};

/// Parses one document; an empty text is a kNull. Throws SyntaxError, also for a second document.
Node parse_yaml(const std::string& text);

/// The line, and under it a caret at the column; "" if there is no such line.
std::string excerpt(const std::string& text, int line, int column);

/// Reads a file. Throws DataError: 66 if it is not there, 74 if it cannot be read.
Text load_text(const std::string& path);

}  // namespace cellmill::config
