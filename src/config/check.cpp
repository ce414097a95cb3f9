#include "config/check.h"

#include <algorithm>
#include <cmath>

#include "base/format.h"

namespace cellmill::config {
namespace {

Check of_number(std::string expected, std::function<bool(long double)> good) {
  Check check;
  check.expected = std::move(expected);
  check.number = std::move(good);
  return check;
}

}  // namespace

Check at_least(double low) {
  return of_number(fmt::format("at least {}", low), [=](long double x) { return x >= low; });
}

Check at_most(double high) {
  return of_number(fmt::format("at most {}", high), [=](long double x) { return x <= high; });
}

Check between(double low, double high) {
  return of_number(fmt::format("between {} and {}", low, high),
                   [=](long double x) { return x >= low && x <= high; });
}

Check positive() {
  return of_number("above 0", [](long double x) { return x > 0; });
}

Check not_negative() { return at_least(0); }
Check fraction() { return between(0, 1); }

Check below_one() {
  return of_number("at least 0 and below 1", [](long double x) { return x >= 0 && x < 1; });
}

Check multiple_of(double step) {
  return of_number(fmt::format("a multiple of {}", step),
                   [=](long double x) { return std::fmod(x, step) == 0; });
}

Check not_empty() {
  Check check;
  check.expected = "not empty";
  check.count = [](std::size_t n) { return n > 0; };
  return check;
}

Check one_of(std::vector<std::string> names) {
  Check check;
  check.expected = fmt::format("one of {}", fmt::join(names, ", "));
  check.text = [names](const std::string& text) {
    return std::find(names.begin(), names.end(), text) != names.end();
  };
  check.choices = std::move(names);
  return check;
}

}  // namespace cellmill::config
