#pragma once
// Values of settings as YAML text, and back, for every type that a setting may have.
#include <optional>
#include <string>

#include "config/document.h"
#include "config/schema.h"

namespace cellmill::config {

/// "a whole number", "a list of texts", ...
std::string type_name(const Target& target);

/// The value in one line of YAML.
std::string format(const Target& target);

/// A node in one line, numbers in the form that `format` gives them: equal values, equal texts.
std::string canonical(const Node& node);

/// What is wrong with `node` as a value of the target's type, or with the value by `check`.
struct Refusal {
  std::string expected, found, hint;
  int line, column;  ///< of the item that is wrong
};

/// Sets the target, or leaves it alone and says why.
std::optional<Refusal> assign(const Target& target, const Check& check, const Node& node);

/// Whether the target's value satisfies the check. Throws InternalError if the check does not suit
/// the type.
bool satisfies(const Target& target, const Check& check);

}  // namespace cellmill::config
