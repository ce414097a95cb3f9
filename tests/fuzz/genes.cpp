// Text as a gene dictionary; what is taken is written and read back to the same, and ranks its own
// genes.
#include "data/gene_dictionary.h"
#include "data/rank_tokenizer.h"
#include "fuzz.h"

using namespace cellmill;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  fuzz::accepted([&] {
    const data::GeneDictionary dictionary = data::parse_gene_dictionary(text, "genes.json");
    fuzz::require(data::parse_gene_dictionary(data::text_of(dictionary), "again") == dictionary);
    const data::RankTokenizer tokenizer(dictionary.tokens, dictionary, {});
    fuzz::require(tokenizer.match().found > 0);
  });
  return 0;
}
