#include <algorithm>

#include "base/error.h"
#include "base/format.h"
#include "data/chunk.h"

namespace cellmill::data {
namespace {

void check_names(const std::vector<std::string>& expected, const std::vector<std::string>& found,
                 const std::string& what, const std::string& file, const std::string& hint) {
  const auto quoted = [](const std::vector<std::string>& names, std::size_t i) {
    return i < names.size() ? fmt::format("'{}'", names[i]) : std::string("none");
  };
  for (std::size_t i = 0; i < std::max(expected.size(), found.size()); ++i)
    if (i >= expected.size() || i >= found.size() || expected[i] != found[i])
      throw DataError(
          {file, fmt::format("{} {}", what, i), quoted(expected, i), quoted(found, i)},
          fmt::format("another vocabulary ({} and {} names)", expected.size(), found.size()), hint);
}

std::vector<std::string> field_names(const Vocabulary& vocabulary) {
  std::vector<std::string> names;
  for (const Field& field : vocabulary.fields) names.push_back(field.name);
  return names;
}

}  // namespace

void check_vocabulary(const Vocabulary& expected, const Vocabulary& found,
                      const std::string& file) {
  if (expected.ranked != found.ranked) {
    const auto kind = [](const Vocabulary& v) {
      return v.ranked ? "ranks" : "counts or logarithms";
    };
    throw DataError({file, "values", kind(expected), kind(found)}, "values of another kind",
                    "use the original data, or data made as they were");
  }
  check_names(field_names(expected), field_names(found), "field", file,
              "name the same `fields` in the same order");
  for (std::size_t f = 0; f < expected.fields.size(); ++f)
    check_names(expected.fields[f].categories, found.fields[f].categories,
                fmt::format("field '{}', category", expected.fields[f].name), file,
                "use the metadata_vocab.json of the original data");
  check_names(expected.genes, found.genes, "gene", file, "use the gene order of the original data");
}

}  // namespace cellmill::data
