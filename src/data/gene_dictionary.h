#pragma once
// The genes that a rank encoder knows: a token and a median a gene, as Geneformer publishes them,
// special tokens, and the other names that lead to a gene. Kept as JSON; tools/gene_dictionary
// makes it from the published pickles or JSON files. A value: no file, no model.
//   {"tokens": {"<pad>": 0, "<mask>": 1, "ENSG00000000003": 2, ...},
//    "medians": {"ENSG00000000003": 2.001, ...},
//    "names": {"TSPAN6": "ENSG00000000003", ...}}       "names" may be absent
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace cellmill::data {

struct GeneDictionary {
  std::vector<std::string> tokens;                     ///< by number; "" where no token has it
  std::vector<double> medians;                         ///< by token, > 0; 0: no gene
  std::unordered_map<std::string, std::string> names;  ///< symbol or older id, upper case -> gene
  std::int32_t pad = 0, mask = 1;
  std::int32_t cls = -1, eos = -1;  ///< -1: has none (V1)

  std::int64_t size() const { return static_cast<std::int64_t>(tokens.size()); }
  bool is_gene(std::int32_t token) const { return medians[static_cast<std::size_t>(token)] > 0; }
  bool operator==(const GeneDictionary&) const = default;
};

/// Throws DataError: no JSON, two tokens of one number, a gene without a median or the reverse, a
/// median that is not positive, no <pad> or <mask>. `file` is for messages.
GeneDictionary parse_gene_dictionary(const std::string& text, const std::string& file);
std::string text_of(const GeneDictionary& dictionary);

/// Finds genes by what files call them: an Ensembl id with or without its version
/// (ENSG00000141510.17), in any case; else a name. Of several names of a gene any will do.
class GeneFinder {
 public:
  explicit GeneFinder(const GeneDictionary& dictionary);
  std::optional<std::int32_t> find(std::string_view name) const;

 private:
  std::unordered_map<std::string, std::int32_t> token_of_;  // upper case
};

}  // namespace cellmill::data
