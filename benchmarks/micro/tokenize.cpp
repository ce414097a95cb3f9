// How fast cells become tokens: the tokenizer alone on one thread, and with the store written
// behind it. The cells are held in memory. tokenize CELLS.h5ad GENES.json SCRATCH [repetitions];
// one JSON line, for benchmarks/peers/rank_encoder/tokenize_peer.py.
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "base/stopwatch.h"
#include "benchmarks/harness/figures.h"
#include "data/chunk_source.h"
#include "data/rank_tokenizer.h"
#include "data/store/token_store.h"
#include "io/files.h"

using namespace cellmill;
using namespace cellmill::data;

int main(int count, char** words) {
  if (count < 4) return 64;
  SourceOptions options;
  options.path = words[1];
  options.metadata = "none";
  options.takes_counts = true;
  const auto source = open_source(options);
  Chunk cells;
  for (const ChunkInfo& info : source->index()) source->read(info.id, 0, info.rows, cells);
  const GeneDictionary dictionary = parse_gene_dictionary(io::read_text(words[2]), words[2]);
  const RankTokenizer tokenizer(source->vocabulary().genes, dictionary, {});
  const auto rate = [&](const Stopwatch& watch) {
    return static_cast<double>(cells.rows) / watch.seconds();
  };
  std::vector<double> alone, stored;
  std::int64_t tokens = 0;
  for (int r = 0; r < (count > 4 ? std::atoi(words[4]) : 5); ++r) {
    const Stopwatch watch;
    Sequences sequences;
    tokenizer.append(cells.indptr.data(), cells.indices.data(), cells.values.data(), cells.rows,
                     sequences);
    alone.push_back(rate(watch));
    tokens = sequences.offsets.back();
    const std::filesystem::path path = std::filesystem::path(words[3]) / "bench_tokenize.h5";
    TokenStoreWriter writer(path, {dictionary, {}, {}, "benchmark"});
    writer.add(sequences, {}, {});
    writer.finish();
    stored.push_back(rate(watch));
    std::filesystem::remove(path);
  }
  const io::Json line{{"cells", cells.rows},
                      {"tokens", tokens},
                      {"alone", benchmarks::spread(alone)},
                      {"stored", benchmarks::spread(stored)}};
  std::puts(line.dump().c_str());
}
