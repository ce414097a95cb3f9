#pragma once
// Categories that are sets of elements, "A+B": perturbations that were combined.
#include <string>
#include <vector>

namespace cellmill::models {

/// "A+B" -> {"A", "B"}.
std::vector<std::string> split_set(const std::string& category);

/// The control, then every element of the categories, as first met.
std::vector<std::string> set_elements(const std::string& control,
                                      const std::vector<std::string>& categories);

}  // namespace cellmill::models
