#include "io/delimited.h"

#include <algorithm>

#include "base/error.h"
#include "base/format.h"

namespace cellmill::io {

DelimitedText::DelimitedText(std::string_view text, std::string file)
    : text_(text.starts_with("\xef\xbb\xbf") ? text.substr(3) : text), file_(std::move(file)) {
  const auto first = text_.substr(0, text_.find('\n'));
  for (const char candidate : {'\t', ';'})
    if (std::ranges::count(first, candidate) > std::ranges::count(first, separator_))
      separator_ = candidate;
}

bool DelimitedText::next(std::vector<std::string_view>& cells) {
  cells.clear();
  unquoted_.clear();
  while (at_ < text_.size() && (text_[at_] == '\n' || text_[at_] == '\r'))
    line_ += text_[at_++] == '\n';
  if (at_ == text_.size()) return false;
  row_line_ = line_;
  while (true) {
    std::string_view cell;
    if (at_ < text_.size() && text_[at_] == '"') {
      cell = quoted_cell();
    } else {
      const auto begin = at_;
      while (at_ < text_.size() && text_[at_] != separator_ && text_[at_] != '\n') ++at_;
      cell = text_.substr(begin, at_ - begin);
      if (cell.ends_with('\r')) cell.remove_suffix(1);
    }
    cells.push_back(cell);
    if (at_ < text_.size() && text_[at_] == separator_) {
      ++at_;
      continue;
    }
    while (at_ < text_.size() && text_[at_] != '\n') ++at_;
    return true;
  }
}

std::string_view DelimitedText::quoted_cell() {
  const auto begin = ++at_;
  bool doubled = false;
  for (; at_ < text_.size(); ++at_) {
    line_ += text_[at_] == '\n';
    if (text_[at_] != '"') continue;
    if (at_ + 1 == text_.size() || text_[at_ + 1] != '"') break;
    doubled = true;
    ++at_;
  }
  if (at_ == text_.size())
    throw DataError({file_, fmt::format("line {}", row_line_), "a closing quote", "none"},
                    "a quoted cell does not end");
  const auto cell = text_.substr(begin, at_++ - begin);
  if (!doubled) return cell;
  auto& plain = unquoted_.emplace_back();
  for (std::size_t i = 0; i < cell.size(); ++i) {
    plain += cell[i];
    i += cell[i] == '"';
  }
  return plain;
}

}  // namespace cellmill::io
