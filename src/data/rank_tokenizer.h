#pragma once
// Rank value encoding: a cell as its expressed genes' tokens, highest value / median first.
//   value = x / n_counts * 10,000 / median, in float64. n_counts is the sum of all the cell's
//   columns; it and the 10,000 change no order but that of values a rounding apart. Columns that
//   mean one gene are summed first, at the first one's place. Ties: the lower column first.
// Conventions of Geneformer: V1 cuts at 2,048; V2 at 4,096 with <cls> before and <eos> behind.
// After github.com/jkobject/geneformer, transcriptome tokenizer; ties are undefined there.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/gene_dictionary.h"
#include "data/sequences.h"

namespace cellmill::data {

struct RankOptions {
  std::int64_t max_length = 2048;  ///< tokens of a cell, special ones among them
  bool special_tokens = false;     ///< <cls> first, <eos> last
};

/// Columns against a dictionary.
struct RankMatch {
  std::int64_t columns = 0;  ///< of the data
  std::int64_t found = 0;    ///< columns that mean a gene of the dictionary
  std::int64_t summed = 0;   ///< of these, columns whose gene another column means, too
};

class RankTokenizer {
 public:
  /// `ranked`: the values are ranks already (a token store), highest first: medians are not used.
  /// Throws DataError if no column is in the dictionary, UsageError if it lacks special tokens that
  /// the options want.
  RankTokenizer(const std::vector<std::string>& columns, const GeneDictionary& dictionary,
                RankOptions options, bool ranked = false);
  ~RankTokenizer();
  RankTokenizer(RankTokenizer&&) noexcept;

  /// Appends the sequences of `cells` rows of CSR with rising columns, values >= 0; 0 is not
  /// expressed. A cell without a known gene is empty (or <cls> <eos>). `threads` share the rows; a
  /// row's result does not depend on them. Thread-safe. Returns how many cells were cut.
  std::int64_t append(const std::int64_t* indptr, const std::int32_t* indices, const float* values,
                      std::int64_t cells, Sequences& sequences, int threads = 1) const;

  const RankMatch& match() const;
  const RankOptions& options() const;

 private:
  struct Tables;
  std::unique_ptr<Tables> tables_;
};

}  // namespace cellmill::data
