#pragma once
// One declaration of every setting. Beside each options struct stands `void
// describe(config::Schema&, Options&)` with one line a field; reading YAML, `--set`, help, shell
// completion, the dump of the effective file and `config explain` all visit it. An unknown key is
// an error with file:line:column, a caret and the nearest known key; range and cross-field errors
// are collected and thrown together.
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace cellmill::config {

/// A check of one value: returns what is expected ("at least 1"), or nothing if the value is good.
template <class T>
using Check = std::function<std::string(const T&)>;

Check<std::int64_t> at_least(std::int64_t low);
Check<std::int64_t> between(std::int64_t low, std::int64_t high);
Check<double> positive();
Check<double> not_negative();
Check<double> fraction();  ///< 0 <= x <= 1
Check<std::string> one_of(std::vector<std::string> names);

class Schema {
 public:
  using Value = std::variant<bool*, std::int64_t*, std::uint64_t*, double*, std::string*,
                             std::vector<std::string>*, std::vector<std::int64_t>*,
                             std::vector<double>*, std::map<std::string, std::string>*>;

  template <class T>
  void field(const std::string& name, T& target, const std::string& help, Check<T> check = {});
  /// A nested struct with its own describe().
  template <class Options>
  void section(const std::string& name, Options& options, const std::string& help = {});
  /// A rule over several fields of this section: returns what is wrong, or nothing.
  void rule(std::function<std::string()> broken);
};

}  // namespace cellmill::config
