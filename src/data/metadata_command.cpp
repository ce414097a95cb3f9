#include "data/metadata_command.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/format.h"
#include "data/sources/h5ad_obs.h"
#include "data/store/pack_store.h"

namespace cellmill::data {
namespace {

namespace fs = std::filesystem;

bool is_metadata(const fs::path& path) {
  const std::vector<std::string> known = {".pkl", ".pickle", ".csv", ".tsv", ".parquet"};
  return std::find(known.begin(), known.end(), path.extension().string()) != known.end();
}

/// The first metadata file by name of a folder, or the path itself if it is one.
std::optional<fs::path> find_metadata(const fs::path& path) {
  if (is_metadata(path)) return path;
  if (!fs::is_directory(path)) return {};
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(path))
    if (is_metadata(entry.path())) found.push_back(entry.path());
  if (found.empty()) return {};
  return *std::min_element(found.begin(), found.end());
}

std::optional<fs::path> any_metadata(const SourceOptions& options) {
  if (auto found = find_metadata(options.metadata)) return found;
  if (auto found = find_metadata(options.path)) return found;
  return find_metadata(data_folder(options));
}

std::pair<std::size_t, std::size_t> digits_of(const std::string& name) {
  const auto dot = name.rfind('.');
  std::size_t end = dot == std::string::npos ? name.size() : dot;
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  while (end > 0 && !is_digit(name[end - 1])) --end;
  std::size_t begin = end;
  while (begin > 0 && is_digit(name[begin - 1])) --begin;
  return {begin, end};
}

}  // namespace

bool reads_h5ad(const SourceOptions& options) {
  return options.format == "h5ad" || (options.format == "auto" && is_h5ad(options.path));
}

bool without_metadata(const SourceOptions& options) {
  if (options.metadata == "none") return true;
  if (!options.labels_optional || !options.metadata.empty() || !options.fields.empty())
    return false;
  if (reads_h5ad(options)) return true;
  const bool chunks = options.path.ends_with(".npz") || fs::is_directory(options.path);
  return chunks && !is_pack_store(options.path) &&
         !fs::exists(metadata_folder(options) + "/labels.h5");
}

bool is_pickle(const std::string& path) {
  return path.ends_with(".pkl") || path.ends_with(".pickle");
}

std::string data_folder(const SourceOptions& options) {
  const fs::path path = options.path;
  if (fs::is_directory(path)) return path.string();
  return path.has_parent_path() ? path.parent_path().string() : ".";
}

std::string metadata_folder(const SourceOptions& options) {
  return options.metadata.empty() ? data_folder(options) + "/preproc" : options.metadata;
}

std::string preprocess_command(const SourceOptions& options) {
  const auto file = any_metadata(options);
  const std::string folder =
      file ? (file->has_parent_path() ? file->parent_path().string() : ".") : data_folder(options);
  const std::string pattern =
      file ? replace_number(file->filename().string(), "*") : "human_metadata_*.pkl";
  const std::string fields =
      options.fields.empty() ? "FIELD,FIELD" : fmt::format("{}", fmt::join(options.fields, ","));
  std::string command =
      fmt::format("tools/preprocess_metadata --data-dir {} --pattern '{}' --include {}", folder,
                  pattern, fields);
  if (const auto target = metadata_folder(options);
      !is_metadata(target) &&
      fs::path(target).lexically_normal() != fs::path(folder + "/preproc").lexically_normal())
    command += " --save-dir " + target;
  return command;
}

void throw_no_codes(const SourceOptions& options) {
  const std::string command = preprocess_command(options);
  for (const std::string& path : {options.path, options.metadata})
    if (is_metadata(path))
      throw DataError({path, {}, {}, {}},
                      is_pickle(path) ? "a pickle, which this program never opens"
                                      : "metadata that are not preprocessed",
                      "make label codes of it: " + command);
  const std::string folder = metadata_folder(options);
  const auto file = any_metadata(options);
  throw DataError(
      {folder, {}, "labels.h5", file ? "metadata only as " + file->string() : "no metadata files"},
      "no label codes", "make them: " + command, file ? Exit::kData : Exit::kNoInput);
}

std::string replace_number(const std::string& name, const std::string& by) {
  const auto [begin, end] = digits_of(name);
  return begin == end ? name : name.substr(0, begin) + by + name.substr(end);
}

std::int64_t number_in_name(const std::string& path) {
  const std::string name = fs::path(path).filename().string();
  const auto [begin, end] = digits_of(name);
  if (begin == end || end - begin > 18)
    throw DataError(
        {path, "file name", "a number before the extension, as in human_counts_12.npz", name},
        "no number to pair expression and metadata by");
  return std::stoll(name.substr(begin, end - begin));
}

}  // namespace cellmill::data
