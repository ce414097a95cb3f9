#include "data/sources/token_source.h"

#include <algorithm>

#include "base/error.h"
#include "base/format.h"
#include "base/nearest.h"
#include "data/metadata_command.h"

namespace cellmill::data {

TokenSource::TokenSource(const SourceOptions& options) : store_(options.path, options.verify) {
  if (options.raw_counts)
    throw UsageError(options.path + ": raw_counts is true, but a token store keeps ranks",
                     "set raw_counts: false", Exit::kConfig);
  const GeneDictionary& dictionary = store_.facts().dictionary;
  vocabulary_.ranked = true;
  for (std::int32_t token = 0; token < dictionary.size(); ++token) {
    const bool gene = dictionary.is_gene(token);
    column_.push_back(gene ? static_cast<std::int32_t>(vocabulary_.genes.size()) : -1);
    if (gene) vocabulary_.genes.push_back(dictionary.tokens[static_cast<std::size_t>(token)]);
  }
  if (!without_metadata(options)) select_fields(options.fields);
  for (std::int64_t first = 0; first < store_.cells(); first += options.chunk_cells) {
    const auto rows = std::min(options.chunk_cells, store_.cells() - first);
    index_.push_back({static_cast<std::int64_t>(index_.size()), rows, first,
                      fmt::format("{}: cells {} to {}", options.path, first, first + rows - 1)});
  }
}

void TokenSource::select_fields(const std::vector<std::string>& wanted) {
  const auto& fields = store_.facts().fields;
  std::vector<std::string> names;
  for (const Field& field : fields) names.push_back(field.name);
  for (const std::string& name : wanted.empty() ? names : wanted) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end())
      throw DataError({store_.path().string(), "/fields", {}, {}}, "no field '" + name + "'",
                      did_you_mean(name, names));
    fields_.push_back(static_cast<std::size_t>(found - names.begin()));
    vocabulary_.fields.push_back(fields[fields_.back()]);
  }
}

std::int64_t TokenSource::entries() const {
  return store_.tokens() - (store_.facts().options.special_tokens ? 2 * store_.cells() : 0);
}

void TokenSource::append_cell(std::span<const std::int32_t> tokens, std::int64_t cell,
                              std::vector<std::int32_t>& rank, Chunk& rows) const {
  const auto wrong = [&](const std::string& what, const std::string& expected, std::int64_t found) {
    return DataError(
        {store_.path().string(), fmt::format("cell {}", cell), expected, fmt::format("{}", found)},
        what, "run cellmill tokenize once more");
  };
  if (store_.facts().options.special_tokens) {
    const GeneDictionary& dictionary = store_.facts().dictionary;
    if (tokens.size() < 2 || tokens.front() != dictionary.cls || tokens.back() != dictionary.eos)
      throw wrong("a cell without its special tokens", "<cls> first, <eos> last",
                  tokens.empty() ? -1 : tokens.front());
    tokens = tokens.subspan(1, tokens.size() - 2);
  }
  const auto begin = static_cast<std::ptrdiff_t>(rows.indices.size());
  auto place = static_cast<std::int32_t>(tokens.size());
  for (const std::int32_t token : tokens) {
    if (token < 0 || token >= std::ssize(column_) || column_[token] < 0)
      throw wrong("a token that is no gene", fmt::format("one of {}", vocabulary_.genes.size()),
                  token);
    if (rank[column_[token]] != 0) throw wrong("a gene given twice", "each once", token);
    rank[column_[token]] = place--;
    rows.indices.push_back(column_[token]);
  }
  std::sort(rows.indices.begin() + begin, rows.indices.end());
  for (auto i = begin; i < std::ssize(rows.indices); ++i) {
    std::int32_t& of = rank[rows.indices[i]];
    rows.values.push_back(static_cast<float>(of));
    of = 0;
  }
  rows.indptr.push_back(static_cast<std::int64_t>(rows.indices.size()));
}

std::int64_t TokenSource::append(const ChunkInfo& chunk, std::int64_t begin, std::int64_t end,
                                 Chunk& rows) const {
  const std::int64_t first = chunk.first_cell + begin;
  Sequences sequences;
  store_.read(first, chunk.first_cell + end, sequences);
  std::vector<std::int32_t> rank(vocabulary_.genes.size());
  const std::size_t fields = store_.facts().fields.size();
  for (std::int64_t i = 0; i < sequences.size(); ++i) {
    append_cell(sequences[i], first + i, rank, rows);
    for (const std::size_t field : fields_)
      rows.labels.push_back(store_.labels()[static_cast<std::size_t>(first + i) * fields + field]);
  }
  rows.rows += end - begin;
  return static_cast<std::int64_t>(sequences.tokens.size() * sizeof(std::int32_t));
}

void TokenSource::expect(std::int64_t chunk, std::int64_t begin, std::int64_t end) const {
  const std::int64_t first = index_.at(static_cast<std::size_t>(chunk)).first_cell;
  store_.expect(first + begin, first + end);
}

}  // namespace cellmill::data
