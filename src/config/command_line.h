#pragma once
// The arguments of one subcommand: declared once, parsed into variables, told by `help`. Options
// are long ("--name value" or "--name=value"); abbreviations are refused. Errors are UsageError
// (64) and name the nearest option.
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "config/check.h"

namespace cellmill::config {

enum class Need { kOptional, kRequired };

class CommandLine {
 public:
  /// bool: a flag without value. A vector takes one or more values and may be repeated. What the
  /// variable holds at declaration is its default.
  using Value =
      std::variant<bool*, std::int64_t*, double*, std::string*, std::vector<std::string>*>;
  using PositionalValue = std::variant<std::string*, std::vector<std::string>*>;

  /// `usage`: "cellmill train"; `summary`: what it does, in a sentence or more.
  CommandLine(std::string usage, std::string summary);

  void option(const std::string& name, Value value, const std::string& help,
              Need need = Need::kOptional, Check check = {});
  /// The options declared from here on stand under `title` in the help; none: without one.
  void heading(const std::string& title) { heading_ = title; }
  /// An argument without a name, in order of declaration; a vector takes all that remain.
  void positional(const std::string& name, PositionalValue value, const std::string& help,
                  Need need = Need::kRequired);

  /// Sets the variables. False if --help (or -h) was among them: then nothing is set, print help().
  bool parse(const std::vector<std::string>& arguments);
  std::string help() const;

 private:
  struct Declared {
    std::string name, help, default_text;
    Value value;
    Need need;
    Check check;
    bool positional;
    std::string heading;
    std::string shown() const { return positional ? name : "--" + name; }
  };
  using Words = std::vector<std::string>;
  /// The words given for each option by name; for arguments without a name, under "".
  std::map<std::string, Words> split(const Words& arguments) const;
  void set(const Declared& declared, const Words& words) const;
  Words option_names() const;
  UsageError wrong(const std::string& what, const std::string& hint = {}) const;

  std::string usage_, summary_, heading_;
  std::vector<Declared> declared_;
};

}  // namespace cellmill::config
