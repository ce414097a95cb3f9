#pragma once
// What a value must satisfy, in words and as a test. A check of a list is asked for each item, one
// of a map for each value. `expected` is shown in help, in the dumped file and in errors.
#include <functional>
#include <string>
#include <vector>

namespace cellmill::config {

struct Check {
  std::string expected;  ///< "at least 1"; empty: anything goes
  std::function<bool(long double)> number;
  std::function<bool(const std::string&)> text;
  std::function<bool(std::size_t)> count;  ///< characters, items or entries
  std::vector<std::string> choices;        ///< of one_of, for completion and hints
};

Check at_least(double low);
Check at_most(double high);
Check between(double low, double high);  ///< both ends included
Check positive();                        ///< above 0
Check not_negative();
Check fraction();   ///< 0 <= x <= 1
Check below_one();  ///< 0 <= x < 1: decay rates, dropout
Check multiple_of(double step);
Check not_empty();  ///< texts, lists and maps
Check one_of(std::vector<std::string> names);

}  // namespace cellmill::config
