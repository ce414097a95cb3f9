// Bytes as a table of counts (.csv, .tsv), with a field's labels in it, genes down or across, told
// or to be found. What is taken must keep the promises of data/chunk.h.
#include "data/sources/csv_source.h"
#include "sources.h"

using namespace cellmill;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const char* const orientations[] = {"auto", "genes_by_samples", "samples_by_genes"};
  static const char* const names[] = {"cells.csv", "cells.tsv", "cells.csv.gz"};
  fuzz::Script script(data, size);
  data::SourceOptions options;
  options.orientation = orientations[script.choose(3)];
  options.raw_counts = script.yes();
  options.chunk_cells = 3;
  if (script.yes()) options.fields = {"f"};
  if (script.yes()) options.known_genes = {"a", "b", "c"};
  const std::size_t name = script.choose(16);
  options.path = fuzz::write_file(names[name < 2 ? name + 1 : 0], script.rest());
  fuzz::accepted([&] { fuzz::read_all(data::CsvSource(options)); });
  return 0;
}
