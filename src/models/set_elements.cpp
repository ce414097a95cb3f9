#include "models/set_elements.h"

#include <unordered_set>

namespace cellmill::models {

std::vector<std::string> split_set(const std::string& category) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (std::size_t plus = category.find('+'); plus != std::string::npos;
       plus = category.find('+', begin)) {
    parts.push_back(category.substr(begin, plus - begin));
    begin = plus + 1;
  }
  parts.push_back(category.substr(begin));
  return parts;
}

std::vector<std::string> set_elements(const std::string& control,
                                      const std::vector<std::string>& categories) {
  std::vector<std::string> elements = {control};
  std::unordered_set<std::string> met = {control};
  for (const auto& category : categories) {
    for (const auto& element : split_set(category))
      if (met.insert(element).second) elements.push_back(element);
  }
  return elements;
}

}  // namespace cellmill::models
