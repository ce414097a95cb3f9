#include "data/sources/npz_source.h"

#include <fnmatch.h>

#include <filesystem>
#include <map>
#include <sstream>

#include "base/error.h"
#include "base/format.h"
#include "data/metadata_command.h"
#include "io/files.h"
#include "io/npz.h"

namespace cellmill::data {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> read_genes(const std::string& path) {
  if (!fs::exists(path))
    throw DataError({path, {}, {}, {}}, "no file with the names of the genes",
                    "write one name a line, in the order of the columns, or name the file in "
                    "`genes`",
                    Exit::kNoInput);
  std::vector<std::string> genes;
  std::istringstream text(io::read_text(path));
  for (std::string line; std::getline(text, line);) {
    const std::string name = line.substr(0, line.find_first_of("\t\r"));
    if (!name.empty()) genes.push_back(name);
  }
  return genes;
}

/// Files by the number in their names.
std::map<std::int64_t, std::string> files_by_number(const SourceOptions& options) {
  std::map<std::int64_t, std::string> files;
  const auto add = [&](const std::string& path) {
    const auto [place, fresh] = files.emplace(number_in_name(path), path);
    if (!fresh)
      throw DataError({path, "file name", "one file of each number",
                       fmt::format("{} has the number {} too", place->second, place->first)},
                      "a number is taken", "narrow `pattern` to the expression files");
  };
  if (fs::is_directory(options.path)) {
    for (const auto& entry : fs::directory_iterator(options.path))
      if (fnmatch(options.pattern.c_str(), entry.path().filename().c_str(), FNM_PERIOD) == 0)
        add(entry.path().string());
  } else if (without_metadata(options)) {
    files.emplace(0, options.path);  // nothing to pair it with
  } else {
    add(options.path);
  }
  return files;
}

}  // namespace

NpzSource::NpzSource(const SourceOptions& options) : expression_(options.raw_counts) {
  find_files(options);
  if (!without_metadata(options)) {
    codes_.emplace(options);
    vocabulary_.fields = codes_->fields();
    check_codes();
  }
}

void NpzSource::find_files(const SourceOptions& options) {
  const auto files = files_by_number(options);
  if (files.empty())
    throw DataError({options.path, {}, "files named " + options.pattern, "none"},
                    "no expression files", {}, Exit::kNoInput);
  const std::string genes =
      options.genes.empty() ? data_folder(options) + "/genes.txt" : options.genes;
  vocabulary_.genes = read_genes(genes);
  std::int64_t cells = 0;
  for (const auto& [number, path] : files) {
    const auto [rows, columns] = io::read_csr_shape(path);
    if (columns != static_cast<std::int64_t>(vocabulary_.genes.size()))
      throw DataError(
          {path, "shape", fmt::format("{} columns, as {} names", vocabulary_.genes.size(), genes),
           fmt::format("{} columns", columns)},
          "columns and gene names differ in number");
    index_.push_back({static_cast<std::int64_t>(index_.size()), rows, cells, path});
    number_.push_back(number);
    cells += rows;
  }
}

void NpzSource::check_codes() const {
  const auto& chunks = codes_->chunks();
  for (std::size_t i = 0; i < index_.size(); ++i) {
    const auto found = chunks.find(number_[i]);
    if (found == chunks.end())
      throw DataError({codes_->path(), "/chunks/number",
                       fmt::format("{}, for {}", number_[i], index_[i].name), "no such chunk"},
                      "expression without metadata",
                      "add its metadata file and run tools/preprocess_metadata again");
    if (found->second.rows != index_[i].rows)
      throw DataError(
          {codes_->path(), fmt::format("chunk {}", number_[i]),
           fmt::format("{} rows, as {}", index_[i].rows, index_[i].name),
           fmt::format("{} rows, from {}", found->second.rows, found->second.source)},
          "expression and metadata differ in length",
          "the two files do not belong together, or one was made again: preprocess once more");
  }
}

Chunk NpzSource::load(std::int64_t id) const {
  const ChunkInfo& info = index_.at(id);
  io::CsrFile file = io::read_csr(info.name);
  if (file.rows != info.rows || file.columns != static_cast<std::int64_t>(vocabulary_.genes.size()))
    throw DataError(
        {info.name, "shape", fmt::format("{} x {}", info.rows, vocabulary_.genes.size()),
         fmt::format("{} x {}", file.rows, file.columns)},
        "the file changed since it was opened");
  Chunk chunk{.id = id,
              .rows = file.rows,
              .genes = file.columns,
              .indptr = std::move(file.indptr),
              .indices = std::move(file.indices),
              .values = std::move(file.values)};
  expression_.prepare(chunk, info.name);
  if (codes_) chunk.labels = codes_->read(number_[id]);
  return chunk;
}

}  // namespace cellmill::data
