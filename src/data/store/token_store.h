#pragma once
// A token store: cells as sequences of gene tokens, made once by `cellmill tokenize`. One sealed
// HDF5 file (io/sealed_file.h; h5py reads it as any other):
//   / attributes: format "cellmill-tokens-1" · max_length · special_tokens · origin
//   /tokens int32 [T], cell after cell · /offsets int64 [cells + 1] · /dictionary, its JSON
//   /labels int32 [cells, fields], -1 missing · /fields · /categories/N of field N · /cells names,
//   where the data named them
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/chunk.h"
#include "data/gene_dictionary.h"
#include "data/rank_tokenizer.h"
#include "io/descriptor.h"
#include "io/sealed_file.h"

namespace cellmill::data {

/// What holds for all cells of a store.
struct TokenFacts {
  GeneDictionary dictionary;
  RankOptions options;
  std::vector<Field> fields;
  std::string origin;  ///< what the tokens were made of
};

/// Writes a file, tokens as they come; offsets, labels and names (some 50 bytes a cell) are held to
/// the end. A file that was not finished is no store. Errors are DataError (74).
class TokenStoreWriter {
 public:
  /// `path` is new; tokens wait in a file beside it.
  TokenStoreWriter(const std::filesystem::path& path, TokenFacts facts);
  ~TokenStoreWriter();
  TokenStoreWriter(const TokenStoreWriter&) = delete;
  /// `labels` [cells, fields]; `names` one a cell, or always none.
  void add(const Sequences& cells, const std::vector<std::int32_t>& labels,
           const std::vector<std::string>& names);
  std::int64_t cells() const { return static_cast<std::int64_t>(offsets_.size()) - 1; }
  std::int64_t tokens() const { return offsets_.back(); }
  void finish();

 private:
  std::filesystem::path path_, waiting_path_;
  TokenFacts facts_;
  io::Descriptor waiting_;
  std::vector<std::int64_t> offsets_ = {0};
  std::vector<std::int32_t> labels_;
  std::vector<std::string> names_;
};

class TokenStore {
 public:
  /// Throws DataError (65, 66) for what is no store, is damaged, or contradicts itself. `verify`:
  /// digests are compared, those of the tokens when they are read.
  explicit TokenStore(const std::filesystem::path& path, bool verify = true);
  const std::filesystem::path& path() const { return file_.file().path(); }
  const TokenFacts& facts() const { return facts_; }
  std::int64_t cells() const { return static_cast<std::int64_t>(offsets_.size()) - 1; }
  std::int64_t tokens() const { return offsets_.back(); }
  /// [cells, fields]
  const std::vector<std::int32_t>& labels() const { return labels_; }
  const std::vector<std::string>& names() const { return names_; }  ///< or none
  /// Appends the sequences of cells [begin, end). Thread-safe.
  void read(std::int64_t begin, std::int64_t end, Sequences& sequences) const;
  void expect(std::int64_t begin, std::int64_t end) const;
  /// Compares all digests.
  void verify() const { file_.verify(); }

 private:
  std::uint64_t place(std::int64_t cell) const;

  io::SealedFile file_;
  TokenFacts facts_;
  std::vector<std::int64_t> offsets_;
  std::vector<std::int32_t> labels_;
  std::vector<std::string> names_;
};

/// What is in it, for a reader or as JSON.
std::string describe(const TokenStore& store);
std::string describe_json(const TokenStore& store);

/// Is this path named as one?
bool is_token_store(const std::string& path);

}  // namespace cellmill::data
