#pragma once
// `cellmill tokenize`: any source of counts into a token store.
#include <cstdint>
#include <filesystem>
#include <string>

#include "data/chunk_source.h"
#include "data/rank_tokenizer.h"

namespace cellmill::data {

struct TokenizeOptions {
  std::filesystem::path dictionary;  ///< JSON (gene_dictionary.h)
  std::filesystem::path output;      ///< file *.h5
  RankOptions ranks;
  std::string gene_column;       ///< h5ad: column of var that names the genes; empty: its index
  bool allow_fractions = false;  ///< values need not be whole
  bool all_cells = false;        ///< those with filter_pass other than 1, too
  std::int64_t threads = 0;      ///< each holding 4,096 cells; 0: one a core
};

struct TokenizeReport {
  RankMatch match;
  std::int64_t cells = 0;     ///< in the store
  std::int64_t left_out = 0;  ///< by filter_pass
  std::int64_t cut = 0;       ///< cells with more genes than the sequence has room for
  std::int64_t empty = 0;     ///< cells without a gene of the dictionary
  std::int64_t tokens = 0;    ///< special ones among them
  double seconds = 0;
};

/// Throws UsageError for an output that exists or is no *.h5 (64), DataError for what the source or
/// the dictionary refuses, for columns of which none is a gene, for values that are no counts (65,
/// 66), or the system (74). The store is whole or absent. `input.fields` become labels; where they
/// are empty, all that the data have, of an .h5ad those that may well be fields.
TokenizeReport tokenize(const SourceOptions& input, const TokenizeOptions& options);
std::string text_of(const TokenizeReport& report);

}  // namespace cellmill::data
