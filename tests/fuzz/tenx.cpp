// Bytes, cut at zeros, as the three files of a 10x folder; the matrix behind a valid first line as
// a rule. What is taken must keep the promises of data/chunk.h.
#include "data/sources/mtx_source.h"
#include "sources.h"

using namespace cellmill;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Script script(data, size);
  data::SourceOptions options;
  options.path = fuzz::folder().string();
  options.raw_counts = script.yes();
  options.chunk_cells = 3;
  if (script.yes()) options.known_genes = {"a", "b", "c"};
  const bool plain = script.choose(8) == 0;
  std::string_view rest = script.rest();
  const auto part = [&] {
    const std::string_view text = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(std::min(text.size() + 1, rest.size()));
    return std::string(text);
  };
  const std::string first = "%%MatrixMarket matrix coordinate integer general\n";
  fuzz::write_file("features.tsv", part());
  fuzz::write_file("barcodes.tsv", part());
  fuzz::write_file("matrix.mtx", (plain ? "" : first) + std::string(rest));
  fuzz::accepted([&] { fuzz::read_all(data::MtxSource(options)); });
  return 0;
}
