#include "data/sources/h5ad_obs.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_map>

#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "base/nearest.h"

namespace cellmill::data {
namespace {

using io::H5File;
using io::H5Type;

enum class Encoding {
  kNone,
  kCategorical,
  kOldCategorical,
  kText,
  kNullableText,
  kBool,
  kNullableBool
};

std::string place_of(const std::string& name) { return "/obs/" + name; }
std::string old_categories(const std::string& name) { return "/obs/__categories/" + name; }

Encoding encoding_of(const H5File& file, const std::string& name) {
  const std::string at = place_of(name);
  if (file.is_group(at)) {
    if (file.exists(at + "/codes") && file.exists(at + "/categories"))
      return Encoding::kCategorical;
    if (!file.exists(at + "/values") || !file.exists(at + "/mask")) return Encoding::kNone;
    if (file.type(at + "/values") == H5Type::kString) return Encoding::kNullableText;
    return file.is_bool(at + "/values") ? Encoding::kNullableBool : Encoding::kNone;
  }
  if (file.exists("/obs/__categories") && file.exists(old_categories(name)))
    return Encoding::kOldCategorical;
  if (file.type(at) == H5Type::kString) return Encoding::kText;
  return file.is_bool(at) ? Encoding::kBool : Encoding::kNone;
}

bool is_missing(const std::string& text) { return text.empty() || text == "nan" || text == "NaN"; }

std::string stripped(const std::string& text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

/// As Python's str() would write it.
std::string text_of(double value) {
  if (std::isnan(value)) return {};
  return std::floor(value) == value && std::abs(value) < 1e16 ? fmt::format("{:.1f}", value)
                                                              : fmt::format("{}", value);
}

/// The texts of a dataset (or of the values of a nullable group) of any simple type; "" for what is
/// missing.
std::vector<std::string> read_texts(const H5File& file, const std::string& at) {
  if (file.is_group(at)) {
    auto texts = read_texts(file, at + "/values");
    const auto masked = file.read<std::int32_t>(at + "/mask");
    for (std::size_t i = 0; i < std::min(texts.size(), masked.size()); ++i)
      if (masked[i]) texts[i].clear();
    return texts;
  }
  std::vector<std::string> texts;
  switch (file.type(at)) {
    case H5Type::kString:
      texts = file.read_strings(at);
      for (std::string& text : texts) text = stripped(text);
      break;
    case H5Type::kFloat32:
    case H5Type::kFloat64:
      for (double value : file.read<double>(at)) texts.push_back(text_of(value));
      break;
    case H5Type::kOther:
      throw DataError({file.path(), at, "text, numbers or truth values", "another type"},
                      "labels of an unknown type");
    default: {
      const bool truth = file.is_bool(at);
      for (std::int64_t value : file.read<std::int64_t>(at))
        texts.push_back(truth ? (value ? "True" : "False") : fmt::format("{}", value));
    }
  }
  return texts;
}

/// Categories that are missing values leave; the others keep their order. Equal texts become one.
ObsColumn from_categories(const H5File& file, const std::string& name,
                          const std::vector<std::string>& categories, const std::string& codes_at) {
  ObsColumn column{{name, {}}, file.read<std::int32_t>(codes_at)};
  std::vector<std::int32_t> code(categories.size(), kMissing);
  std::unordered_map<std::string, std::int32_t> known;
  for (std::size_t c = 0; c < categories.size(); ++c) {
    if (is_missing(categories[c])) continue;
    const auto [place, fresh] =
        known.emplace(categories[c], static_cast<std::int32_t>(column.field.categories.size()));
    if (fresh) column.field.categories.push_back(categories[c]);
    code[c] = place->second;
  }
  for (std::size_t i = 0; i < column.codes.size(); ++i) {
    std::int32_t& c = column.codes[i];
    if (c >= static_cast<std::int32_t>(code.size()))
      throw DataError({file.path(), fmt::format("{}, row {}", codes_at, i),
                       fmt::format("-1 to {}", static_cast<std::int64_t>(code.size()) - 1),
                       fmt::format("{}", c)},
                      "a code without a category");
    c = c < 0 ? kMissing : code[c];
  }
  return column;
}

ObsColumn from_texts(const std::string& name, const std::vector<std::string>& texts) {
  std::map<std::string, std::int32_t> code;
  for (const std::string& text : texts)
    if (!is_missing(text)) code[text] = 0;
  ObsColumn column{{name, {}}, {}};
  for (auto& [text, place] : code) {
    place = static_cast<std::int32_t>(column.field.categories.size());
    column.field.categories.push_back(text);
  }
  for (const std::string& text : texts)
    column.codes.push_back(is_missing(text) ? kMissing : code[text]);
  return column;
}

std::vector<std::string> columns_of(const H5File& file, const std::string& table = "/obs") {
  if (!file.exists(table) || !file.is_group(table))
    throw DataError({file.path(), table, "a group, as anndata 0.7 and newer write it", "none"},
                    table == "/obs" ? "no table of cells" : "no such table",
                    rewrite_hint(file.path(), ""));
  const std::string index =
      file.has_attribute(table, "_index") ? file.string_attribute(table, "_index") : "_index";
  auto names = file.children(table);
  std::erase_if(names, [&](const auto& name) { return name == index || name == "__categories"; });
  return names;
}

}  // namespace

std::string rewrite_hint(const std::string& path, const std::string& change) {
  return fmt::format(
      "write it anew: python -c \"import anndata; a = anndata.read_h5ad('{}'); "
      "{}a.write_h5ad('{}')\"",
      path, change, path.substr(0, path.rfind(".h5ad")) + ".new.h5ad");
}

std::vector<std::string> categorical_columns(const H5File& file) {
  auto names = columns_of(file);
  std::erase_if(names,
                [&](const auto& name) { return encoding_of(file, name) == Encoding::kNone; });
  return names;
}

std::vector<std::string> likely_fields(const H5File& file) {
  constexpr std::size_t kMost = 2000;
  std::vector<std::string> names;
  for (const std::string& name : categorical_columns(file)) try {
      const ObsColumn column = read_obs_column(file, name);
      const auto values = column.field.categories.size();
      if (values <= kMost && 2 * values <= column.codes.size() + 1) names.push_back(name);
    } catch (const DataError&) {  // no categories at all
    }
  return names;
}

std::vector<std::string> read_column(const H5File& file, const std::string& table,
                                     const std::string& name) {
  const auto names = columns_of(file, table);
  const std::string at = table + "/" + name;
  if (std::find(names.begin(), names.end(), name) == names.end())
    throw DataError({file.path(), table, {}, {}}, fmt::format("no column '{}'", name),
                    did_you_mean(name, names));
  if (!file.is_group(at) || !file.exists(at + "/codes")) return read_texts(file, at);
  const auto categories = read_texts(file, at + "/categories");
  std::vector<std::string> texts;
  for (const std::int32_t code : file.read<std::int32_t>(at + "/codes"))
    texts.push_back(code >= 0 && code < std::ssize(categories) ? categories[code] : "");
  return texts;
}

ObsColumn read_obs_column(const H5File& file, const std::string& name) {
  const auto names = columns_of(file);
  const std::string at = place_of(name);
  if (std::find(names.begin(), names.end(), name) == names.end())
    throw DataError({file.path(), "/obs", {}, {}}, fmt::format("no column '{}'", name),
                    did_you_mean(name, names));
  ObsColumn column;
  switch (encoding_of(file, name)) {
    case Encoding::kCategorical:
      column = from_categories(file, name, read_texts(file, at + "/categories"), at + "/codes");
      break;
    case Encoding::kOldCategorical:
      column = from_categories(file, name, read_texts(file, old_categories(name)), at);
      break;
    case Encoding::kNone:
      throw DataError(
          {file.path(), at, "a categorical, text or truth values", "numbers"},
          "a column without categories",
          fmt::format("columns with categories: {}", fmt::join(categorical_columns(file), ", ")));
    default:
      column = from_texts(name, read_texts(file, at));
  }
  return column;
}

std::vector<std::int32_t> recode(const ObsColumn& column, const Field& field,
                                 const std::string& file) {
  std::unordered_map<std::string, std::int32_t> known;
  for (std::size_t c = 0; c < field.categories.size(); ++c)
    known[field.categories[c]] = static_cast<std::int32_t>(c);
  std::vector<std::int32_t> code;
  std::vector<std::string> unknown;
  for (const std::string& category : column.field.categories) {
    const auto found = known.find(category);
    code.push_back(found == known.end() ? kMissing : found->second);
    if (found == known.end()) unknown.push_back(category);
  }
  std::vector<std::int32_t> codes;
  std::int64_t lost = 0;
  for (std::int32_t c : column.codes) {
    codes.push_back(c == kMissing ? kMissing : code[c]);
    lost += c != kMissing && codes.back() == kMissing;
  }
  if (lost > 0)
    log::warn(
        "{}: obs column '{}': {} of {} cells have categories that the vocabulary lacks and "
        "count as missing: {}",
        file, field.name, lost, codes.size(), fmt::join(unknown, ", "));
  return codes;
}

bool is_h5ad(const std::string& path) { return path.ends_with(".h5ad"); }

std::vector<std::string> read_index(const H5File& file, const std::string& table) {
  if (!file.exists(table) || !file.is_group(table))
    throw DataError({file.path(), table, "a group, as anndata 0.7 and newer write it", "none"},
                    "no such table", rewrite_hint(file.path(), ""));
  const std::string name =
      file.has_attribute(table, "_index") ? file.string_attribute(table, "_index") : "_index";
  return read_texts(file, table + "/" + name);
}

}  // namespace cellmill::data
