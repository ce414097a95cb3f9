#include "data/label_codes.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/format.h"
#include "base/nearest.h"
#include "data/metadata_command.h"
#include "io/block_digests.h"
#include "io/digest.h"
#include "io/files.h"
#include "io/hdf5_elements.h"
#include "io/sealed.h"
#include "io/strict_json.h"

namespace cellmill::data {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

json read_json(const std::string& path) {
  try {
    return json::parse(io::read_text(path), &io::shallow<json>);
  } catch (const json::exception& error) {
    throw DataError({path, {}, {}, error.what()}, "not JSON");
  }
}

std::string again(const SourceOptions& options) {
  return "run again: " + preprocess_command(options);
}

/// Compares labels.h5 with labels.digests.json, where a newer tool has written one.
void verify_codes(const SourceOptions& options, const std::string& path) {
  const std::string file = metadata_folder(options) + "/labels.digests.json";
  if (!fs::exists(file)) return;
  const std::string text = io::read_text(file);
  const json content = json::parse(text, nullptr, false);
  if (io::seal_of_json(text) != io::Seal::kHolds || !content.is_object())
    throw DataError(
        {file, fmt::format("bytes 0 to {}", std::max<std::size_t>(text.size(), 1) - 1), {}, {}},
        "is damaged: its digest differs", again(options));
  io::BlockDigests digests;
  digests.bytes = content.value("bytes", std::uint64_t{0});
  digests.blocks = content.value("blocks", digests.blocks);
  io::verify_blocks(path, digests, again(options));
}

/// Opens labels.h5 after checking that it is what it should be.
io::H5File open_codes(const SourceOptions& options) {
  const std::string folder = metadata_folder(options);
  const std::string path = folder + "/labels.h5";
  if (!fs::exists(path)) throw_no_codes(options);
  if (options.verify) verify_codes(options, path);
  io::H5File file = io::H5File::open(path);
  const std::string format =
      file.has_attribute("/", "format") ? file.string_attribute("/", "format") : "none";
  if (format != "cellmill-labels-1")
    throw DataError({path, "attribute format", "cellmill-labels-1", format},
                    "not a file of label codes", again(options));
  const std::string vocabulary = folder + "/metadata_vocab.json";
  const std::string expected = file.string_attribute("/", "vocabulary_digest");
  const std::string found = io::digest_file(vocabulary);
  if (expected != found)
    throw DataError({vocabulary, fmt::format("bytes 0 to {}", fs::file_size(vocabulary) - 1),
                     "digest " + expected, found},
                    "not the vocabulary that labels.h5 was made with", again(options));
  return file;
}

std::vector<std::string> names_of(const std::map<std::string, Field>& fields) {
  std::vector<std::string> names;
  for (const auto& [name, field] : fields) names.push_back(name);
  return names;
}

}  // namespace

std::map<std::string, Field> read_metadata_vocabulary(const std::string& path) {
  const json content = read_json(path);
  std::map<std::string, Field> fields;
  try {
    for (const auto& [name, codes] : content.items()) {
      if (codes.empty()) continue;
      std::vector<std::string> categories(codes.size());
      std::vector<bool> taken(codes.size());
      for (const auto& [category, code] : codes.items()) {
        const auto place = io::whole<std::size_t>(code);
        if (place >= taken.size() || taken[place])
          throw DataError(
              {path, fmt::format("field '{}', category '{}'", name, category),
               fmt::format("each of 0 to {} once", taken.size() - 1), fmt::format("{}", place)},
              "a code out of order");
        taken[place] = true;
        categories[place] = category;
      }
      fields[name] = {name, std::move(categories)};
    }
  } catch (const json::exception& error) {
    throw DataError({path, {}, "{field: {category: code}}", error.what()}, "not a vocabulary");
  }
  return fields;
}

const Field& find_field(const std::map<std::string, Field>& fields, const std::string& name,
                        const std::string& file) {
  if (const auto found = fields.find(name); found != fields.end()) return found->second;
  throw DataError({file, {}, {}, {}}, fmt::format("no field '{}' with categories", name),
                  did_you_mean(name, names_of(fields)));
}

LabelCodes::LabelCodes(const SourceOptions& options) : file_(open_codes(options)) {
  read_chunks();
  select_fields(options, metadata_folder(options));
}

void LabelCodes::read_chunks() {
  const auto numbers = file_.read<std::int64_t>("/chunks/number");
  const auto rows = file_.read<std::int64_t>("/chunks/rows");
  const auto sources = file_.read_strings("/chunks/source");
  file_columns_ = io::length_of(file_, "/fields");
  if (rows.size() != numbers.size() || sources.size() != numbers.size())
    throw DataError({path(), "/chunks", fmt::format("{} rows and sources", numbers.size()),
                     fmt::format("{} and {}", rows.size(), sources.size())},
                    "lists of different lengths");
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const std::string codes = fmt::format("/codes/{}", numbers[i]);
    const std::vector<std::int64_t> expected = {rows[i], file_columns_};
    if (const auto found = file_.shape(codes); found != expected)
      throw DataError({path(), codes, fmt::format("shape {}", fmt::join(expected, " x ")),
                       fmt::format("{}", fmt::join(found, " x "))},
                      "codes of another shape");
    chunks_[numbers[i]] = {rows[i], sources[i]};
  }
}

void LabelCodes::select_fields(const SourceOptions& options, const std::string& folder) {
  const auto coded = file_.read_strings("/fields");
  const auto vocabulary = read_metadata_vocabulary(folder + "/metadata_vocab.json");
  std::vector<std::string> names = options.fields;
  if (names.empty()) {
    const json specs = read_json(folder + "/metadata_field_specs.json");
    std::copy_if(coded.begin(), coded.end(), std::back_inserter(names),
                 [&](const std::string& name) {
                   return specs.contains(name) && specs[name].value("using", false);
                 });
    if (names.empty())
      throw DataError({folder + "/metadata_field_specs.json", {}, {}, {}},
                      "no field is marked as conditioning (using)",
                      fmt::format("name them in `fields`; there are {}", fmt::join(coded, ", ")));
  }
  for (const std::string& name : names) {
    const Field& field = find_field(vocabulary, name, folder + "/metadata_vocab.json");
    const auto column = std::find(coded.begin(), coded.end(), name);
    if (column == coded.end())
      throw DataError({path(), "/fields", fmt::format("'{}' among them", name),
                       fmt::format("{}", fmt::join(coded, ", "))},
                      "a field without codes", again(options));
    fields_.push_back(field);
    columns_.push_back(column - coded.begin());
  }
}

std::vector<std::int32_t> LabelCodes::read(std::int64_t number) const {
  const auto all = file_.read<std::int32_t>(fmt::format("/codes/{}", number));
  const auto rows =
      static_cast<std::int64_t>(all.size()) / std::max<std::int64_t>(file_columns_, 1);
  std::vector<std::int32_t> codes;
  codes.reserve(rows * columns_.size());
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::size_t f = 0; f < columns_.size(); ++f) {
      const std::int32_t code = all[row * file_columns_ + columns_[f]];
      const auto count = static_cast<std::int32_t>(fields_[f].categories.size());
      if (code < kMissing || code >= count)
        throw DataError(
            {path(), fmt::format("/codes/{}, row {}, field '{}'", number, row, fields_[f].name),
             fmt::format("-1 to {}", count - 1), fmt::format("{}", code)},
            "a code out of range", "run tools/preprocess_metadata again");
      codes.push_back(code);
    }
  return codes;
}

}  // namespace cellmill::data
