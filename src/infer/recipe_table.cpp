#include "infer/recipe_table.h"

#include <charconv>

#include "base/error.h"
#include "base/format.h"
#include "base/nearest.h"
#include "infer/api_names.h"
#include "io/delimited.h"
#include "io/gzip.h"

namespace cellmill::infer {
namespace {

std::string nearest_field(const std::string& name, const models::MetadataModel& model) {
  std::vector<std::string> names;
  for (const auto& field : model.metadata_fields()) names.push_back(field.name);
  return did_you_mean(name, names);
}

}  // namespace

std::vector<GenerationInput> read_recipes(const std::filesystem::path& file,
                                          const models::MetadataModel& model) {
  const auto text = io::read_text_or_gzip(file);
  io::DelimitedText table(text, file.string());
  std::vector<std::string_view> cells;
  if (!table.next(cells)) throw DataError({file.string(), {}, "a table", "nothing"}, "is empty");
  std::vector<std::string> columns;
  for (const auto cell : cells) {
    const std::string name(cell);
    const auto field = field_named(name, model.metadata_fields());
    if (!field && name != "num_samples")
      throw DataError(
          {file.string(), "first row", "fields of the model, num_samples", "'" + name + "'"},
          "the model has no such field", nearest_field(name, model));
    columns.push_back(field ? model.metadata_fields()[*field].name : name);
  }
  std::vector<GenerationInput> inputs;
  while (table.next(cells)) {
    if (cells.size() != columns.size())
      throw DataError({file.string(), fmt::format("line {}", table.line()),
                       fmt::format("{} cells", columns.size()), fmt::format("{}", cells.size())},
                      "a row of another length than the first");
    GenerationInput input;
    for (std::size_t c = 0; c < columns.size(); ++c) {
      if (columns[c] != "num_samples") {
        if (!cells[c].empty()) input.metadata[columns[c]] = cells[c];
        continue;
      }
      const auto* end = cells[c].data() + cells[c].size();
      const auto [at, error] = std::from_chars(cells[c].data(), end, input.num_samples);
      if (error != std::errc() || at != end)
        throw DataError({file.string(), fmt::format("line {}, column 'num_samples'", table.line()),
                         "a whole number", fmt::format("'{}'", cells[c])},
                        "is no number");
    }
    inputs.push_back(std::move(input));
  }
  return inputs;
}

models::Metadata parse_metadata(const std::vector<std::string>& settings,
                                const models::MetadataModel& model) {
  models::Metadata metadata;
  for (const auto& text : settings) {
    const auto equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      throw UsageError("--set " + text + " is not FIELD=VALUE");
    const auto name = text.substr(0, equals);
    const auto field = field_named(name, model.metadata_fields());
    if (!field)
      throw UsageError("--set " + text + ": the model has no field '" + name + "'",
                       nearest_field(name, model));
    metadata[model.metadata_fields()[*field].name] = text.substr(equals + 1);
  }
  return metadata;
}

}  // namespace cellmill::infer
