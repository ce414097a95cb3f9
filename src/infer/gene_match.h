#pragma once
// Columns of a user's file matched to a model's genes by name, whatever their order.
#include <cstdint>
#include <string>
#include <vector>

namespace cellmill::infer {

struct GeneMatch {
  std::vector<std::int32_t> column;  ///< of each input column: the model's, or -1
  std::vector<std::string> missing;  ///< genes of the model that the input lacks, in model order
  std::int64_t expected = 0;         ///< genes of the model
  std::int64_t unused = 0;           ///< input columns that the model does not know
  std::int64_t repeated = 0;  ///< input columns whose gene stood before; the first one counts
  double overlap() const;     ///< fraction of the model's genes that were found
  /// "18,000 of 20,000 genes found; missing (counted as 0): A, B, C, ..."
  std::string text() const;
};

GeneMatch match_genes(const std::vector<std::string>& model, const std::vector<std::string>& input);

/// Throws DataError if less than `min_overlap` of the model's genes are there.
void require_overlap(const GeneMatch& match, double min_overlap, const std::string& file,
                     const std::vector<std::string>& model, const std::vector<std::string>& input);

}  // namespace cellmill::infer
