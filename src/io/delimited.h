#pragma once
// Rows of a text table, cells between commas or tabs, quoted as RFC 4180 says. The text must
// outlive what is given out.
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace cellmill::io {

class DelimitedText {
 public:
  /// `file` is for messages. The separator is the one of comma, tab and semicolon that the first
  /// line has most of.
  DelimitedText(std::string_view text, std::string file);
  /// The next row that is not empty; false at the end. Throws DataError (65) for a quote that does
  /// not end.
  bool next(std::vector<std::string_view>& cells);
  std::int64_t line() const { return row_line_; }  ///< of that row, from 1
  char separator() const { return separator_; }

 private:
  std::string_view quoted_cell();

  std::string_view text_;
  std::string file_;
  std::size_t at_ = 0;
  std::int64_t line_ = 1, row_line_ = 0;
  char separator_ = ',';
  std::deque<std::string> unquoted_;  ///< cells of the present row that had doubled quotes
};

}  // namespace cellmill::io
