#include "data/sources/mtx_source.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <numeric>
#include <unordered_map>

#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "io/delimited.h"
#include "io/gzip.h"

namespace cellmill::data {
namespace {

namespace fs = std::filesystem;

/// The first of these that is there, plain or gzipped; empty: none.
fs::path find(const fs::path& folder, std::initializer_list<const char*> names) {
  for (const char* name : names)
    for (const char* end : {"", ".gz"})
      if (const auto path = folder / (std::string(name) + end); fs::exists(path)) return path;
  return {};
}

fs::path folder_of(const std::string& path) {
  return fs::is_directory(path) ? fs::path(path) : fs::path(path).parent_path();
}

/// The columns of a .tsv without a header.
std::vector<std::vector<std::string>> columns_of(const fs::path& folder,
                                                 std::initializer_list<const char*> names) {
  const auto path = find(folder, names);
  if (path.empty())
    throw DataError({(folder / *names.begin()).string(), {}, {}, {}}, "no such file",
                    "a 10x folder holds matrix.mtx, features.tsv (or genes.tsv) and barcodes.tsv, "
                    "each plain or .gz",
                    Exit::kNoInput);
  const auto text = io::read_text_or_gzip(path);
  std::vector<std::vector<std::string>> columns(2);
  io::DelimitedText table(text, path.string());
  std::vector<std::string_view> cells;
  while (table.next(cells))
    for (std::size_t c = 0; c < 2; ++c)
      columns[c].emplace_back(c < cells.size() ? cells[c] : cells.front());
  return columns;
}

void make_unique(std::vector<std::string>& names) {
  std::unordered_map<std::string, int> seen;
  for (const auto& name : names) seen.emplace(name, 0);
  std::unordered_map<std::string, bool> met;
  for (auto& name : names) {
    if (!std::exchange(met[name], true)) continue;
    std::string fresh;
    do fresh = fmt::format("{}-{}", name, ++seen[name]);
    while (seen.contains(fresh));
    name = fresh;
  }
}

std::vector<std::string> gene_names(const fs::path& folder, const SourceOptions& options) {
  auto columns = columns_of(folder, {"features.tsv", "genes.tsv"});
  const auto ids = known_among(columns[0], options.known_genes);
  const auto symbols = known_among(columns[1], options.known_genes);
  auto names = std::move(columns[ids > symbols ? 0 : 1]);
  log::info("{}: genes by their {}", options.path, ids > symbols ? "ids" : "symbols");
  make_unique(names);
  return names;
}

/// Walks the lines of a matrix.mtx.
class MatrixText {
 public:
  MatrixText(std::string_view text, std::string file) : text_(text), file_(std::move(file)) {
    const auto head = line();
    if (!head.starts_with("%%MatrixMarket matrix coordinate") || !head.ends_with("general") ||
        head.find("complex") != std::string_view::npos)
      throw error("%%MatrixMarket matrix coordinate integer|real|pattern general", head);
    pattern_ = head.find("pattern") != std::string_view::npos;
    std::string_view sizes = line();
    while (sizes.starts_with('%')) sizes = line();
    const auto said = sizes;
    if (!whole(sizes, genes) || !whole(sizes, cells) || !whole(sizes, entries) ||
        std::min({genes, cells, entries}) < 0 || !blank(sizes))
      throw error("three sizes: genes, cells, entries", said);
    constexpr std::int64_t kShortest = 4;  // "1 1\n"
    if (entries > static_cast<std::int64_t>(text_.size() - at_) / kShortest + 1)
      throw error(fmt::format("{} entries", entries), fmt::format("{} bytes", text_.size() - at_));
  }
  void next(std::int64_t& gene, std::int64_t& cell, float& value) {
    const auto all = line();
    auto rest = all;
    value = 1;
    if (!whole(rest, gene) || !whole(rest, cell) || gene < 1 || gene > genes || cell < 1 ||
        cell > cells || (!pattern_ && !real(rest, value)) || !blank(rest))
      throw error(fmt::format("gene 1 to {}, cell 1 to {}, value", genes, cells), all);
  }
  void end() {
    while (at_ < text_.size())
      if (auto rest = line(); !blank(rest))
        throw error(fmt::format("the end after {} entries", entries), rest);
  }
  std::int64_t genes = 0, cells = 0, entries = 0;

 private:
  std::string_view line() {
    ++number_;
    const auto end = std::min(text_.find('\n', at_), text_.size());
    auto line = text_.substr(at_, end - at_);
    at_ = std::min(end + 1, text_.size());
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  }
  static void skip_blanks(std::string_view& text) {
    while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  }
  static bool blank(std::string_view text) {
    skip_blanks(text);
    return text.empty();
  }
  template <class T>
  static bool parsed(std::string_view& text, T& value) {
    skip_blanks(text);
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc()) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return true;
  }
  static bool whole(std::string_view& text, std::int64_t& value) { return parsed(text, value); }
  static bool real(std::string_view& text, float& value) { return parsed(text, value); }
  DataError error(const std::string& expected, std::string_view found) const {
    return DataError({file_, fmt::format("line {}", number_), expected,
                      fmt::format("'{}'", found.substr(0, 80))},
                     "is no such matrix");
  }

  std::string_view text_;
  std::string file_;
  std::size_t at_ = 0;
  std::int64_t number_ = 0;
  bool pattern_ = false;
};

Chunk read_entries(MatrixText& matrix) {
  std::vector<std::int32_t> gene(static_cast<std::size_t>(matrix.entries)), cell = gene;
  std::vector<float> value(gene.size());
  Chunk chunk;
  chunk.rows = matrix.cells;
  chunk.genes = matrix.genes;
  chunk.indptr.assign(static_cast<std::size_t>(matrix.cells) + 1, 0);
  for (std::size_t k = 0; k < gene.size(); ++k) {
    std::int64_t g = 0, c = 0;
    matrix.next(g, c, value[k]);
    gene[k] = static_cast<std::int32_t>(g - 1);
    cell[k] = static_cast<std::int32_t>(c - 1);
    ++chunk.indptr[c];
  }
  matrix.end();
  std::partial_sum(chunk.indptr.begin(), chunk.indptr.end(), chunk.indptr.begin());
  chunk.indices.resize(gene.size());
  chunk.values.resize(gene.size());
  auto next = chunk.indptr;
  for (std::size_t k = 0; k < gene.size(); ++k) {
    const auto to = next[cell[k]]++;
    chunk.indices[to] = gene[k];
    chunk.values[to] = value[k];
  }
  return chunk;
}

HeldCells read_folder(const SourceOptions& options) {
  const auto folder = folder_of(options.path);
  const auto path = find(folder, {"matrix.mtx"});
  const auto text = io::read_text_or_gzip(path);
  MatrixText matrix(text, path.string());
  HeldCells held;
  held.vocabulary.genes = gene_names(folder, options);
  held.names = columns_of(folder, {"barcodes.tsv"})[0];
  const auto check = [&](const char* what, std::size_t names, std::int64_t sizes) {
    if (static_cast<std::int64_t>(names) != sizes)
      throw DataError({folder.string(), what, fmt::format("{}, as matrix.mtx has", sizes),
                       fmt::format("{} names", names)},
                      "the files do not belong together");
  };
  check("genes", held.vocabulary.genes.size(), matrix.genes);
  check("cells", held.names.size(), matrix.cells);
  held.cells = read_entries(matrix);
  if (!options.fields.empty() && options.known_genes.empty())
    throw DataError({options.path, {}, "'" + options.fields.front() + "'", "no labels at all"},
                    "a 10x folder has no fields",
                    "scanpy.read_10x_mtx, add the labels to obs, write h5ad");
  return held;
}

}  // namespace

bool is_mtx(const std::string& path) {
  const bool folder = fs::is_directory(path);
  if (!folder && !path.ends_with("matrix.mtx") && !path.ends_with("matrix.mtx.gz")) return false;
  return !find(folder_of(path), {"matrix.mtx"}).empty();
}

MtxSource::MtxSource(const SourceOptions& options, std::shared_ptr<Faults> faults)
    : HeldSource(options, std::move(faults), read_folder(options)) {}

}  // namespace cellmill::data
