#include "data/sources/npz_source.h"

#include <fnmatch.h>

#include <filesystem>
#include <map>
#include <sstream>

#include "base/error.h"
#include "base/format.h"
#include "base/utf8.h"
#include "data/metadata_command.h"
#include "io/files.h"
#include "io/npz.h"

namespace cellmill::data {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kOpenFiles = 128;

std::vector<std::string> read_genes(const std::string& path) {
  if (!fs::exists(path))
    throw DataError({path, {}, {}, {}}, "no file with the names of the genes",
                    "write one name a line, in the order of the columns, or name the file in "
                    "`genes`",
                    Exit::kNoInput);
  std::vector<std::string> genes;
  std::istringstream text(io::read_text(path));
  std::int64_t number = 0, empty = 0;  // of the line; of the first empty one since a name
  for (std::string line; std::getline(text, line);) {
    const std::string name = line.substr(0, line.find_first_of("\t\r"));
    ++number;
    if (utf8_ends_at(name) != std::string::npos)
      throw DataError({path, fmt::format("line {}", number), {}, {}}, "is no UTF-8",
                      "iconv -f latin1 -t utf8 converts what is Latin-1");
    if (name.empty() && empty == 0) empty = number;
    if (name.empty()) continue;
    if (empty > 0)
      throw DataError({path, fmt::format("line {}", empty), "the name of a gene", "none"},
                      "is empty", "the n-th line names the n-th column");
    genes.push_back(name);
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

NpzSource::NpzSource(const SourceOptions& options, std::shared_ptr<Faults> faults)
    : expression_(options.raw_counts, std::move(faults), options.takes_counts) {
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
    const io::CsrReader file(path);
    const std::int64_t rows = file.rows(), columns = file.columns();
    reads_rows_ = reads_rows_ && file.by_range();
    entries_ += file.entries();
    if (columns != static_cast<std::int64_t>(vocabulary_.genes.size()))
      throw DataError(
          {path, "shape", fmt::format("{} columns, as {} names", vocabulary_.genes.size(), genes),
           fmt::format("{} columns", columns)},
          "columns and gene names differ in number");
    index_.push_back({static_cast<std::int64_t>(index_.size()), rows, cells, path});
    number_.push_back(number);
    cells += rows;
  }
  files_ = std::make_unique<File[]>(index_.size());
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

std::shared_ptr<const io::CsrReader> NpzSource::open(const ChunkInfo& chunk) const {
  File& file = files_[chunk.id];
  std::unique_lock lock(file.mutex);
  if (file.open) return file.open;
  auto reader = std::make_shared<const io::CsrReader>(chunk.name);
  const auto genes = static_cast<std::int64_t>(vocabulary_.genes.size());
  if (reader->rows() != chunk.rows || reader->columns() != genes ||
      (reads_rows_ && !reader->by_range()))
    throw DataError({chunk.name, "shape", fmt::format("{} x {}", chunk.rows, genes),
                     fmt::format("{} x {}", reader->rows(), reader->columns())},
                    "the file changed since it was opened");
  if (file.indptr.empty()) file.indptr = reader->read_indptr();
  if (codes_ && file.codes.empty()) file.codes = codes_->read(number_[chunk.id]);
  file.open = reader;
  lock.unlock();
  close_oldest(chunk.id);
  return reader;
}

void NpzSource::close_oldest(std::int64_t opened) const {
  std::int64_t oldest = -1;
  {
    const std::lock_guard lock(opened_mutex_);
    opened_.push_back(opened);
    if (opened_.size() <= kOpenFiles) return;
    oldest = opened_.front();
    opened_.pop_front();
  }
  const std::lock_guard lock(files_[oldest].mutex);
  files_[oldest].open.reset();
}

std::int64_t NpzSource::append(const ChunkInfo& chunk, std::int64_t begin, std::int64_t end,
                               Chunk& rows) const {
  const auto reader = open(chunk);
  const File& file = files_[chunk.id];
  if (!reader->by_range() && (begin > 0 || end < chunk.rows)) {
    Chunk whole;
    const std::int64_t bytes = read(chunk.id, 0, chunk.rows, whole);
    rows.append(whole, begin, end);
    return bytes;
  }
  const std::int64_t first = file.indptr[begin], from = rows.rows, held = rows.entries();
  const std::int64_t bytes =
      reader->append_entries(first, file.indptr[end], rows.indices, rows.values);
  for (std::int64_t row = begin; row < end; ++row)
    rows.indptr.push_back(held + file.indptr[row + 1] - first);
  rows.rows += end - begin;
  expression_.prepare(rows, chunk.name, begin, from);
  const auto fields = static_cast<std::int64_t>(vocabulary_.fields.size());
  rows.labels.insert(rows.labels.end(), file.codes.begin() + begin * fields,
                     file.codes.begin() + end * fields);
  return bytes;
}

void NpzSource::expect(std::int64_t chunk, std::int64_t begin, std::int64_t end) const {
  const auto reader = open(index_.at(chunk));
  reader->expect_entries(files_[chunk].indptr[begin], files_[chunk].indptr[end]);
}

}  // namespace cellmill::data
