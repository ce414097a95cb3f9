// What a coded row costs: bytes a cell, cells/s a core to encode and to decode, by AVX2 and plain,
// with and without its digest, beside libdeflate and zlib on the same rows as .npz stores them
// (arrays of 64 cells, level 6). Rows are made as normalised counts are: entries lognormal around
// `--entries`, counts skewed, so that a cell has some 25 distinct values; or are those of --store.
// Decoding writes into reused arrays that stay in the caches: what is measured is the decoder. Of a
// .cmpack store also what reading gives, warm, one thread: blocks of 64 cells in random order, with
// and without their digests.
#include "io/row_code.h"

#include <libdeflate.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <vector>

#include "base/format.h"
#include "base/log.h"
#include "base/random.h"
#include "base/stopwatch.h"
#include "comm/world.h"
#include "config/command_line.h"
#include "data/chunk_source.h"
#include "io/digest.h"
#include "io/json.h"

namespace {

using namespace cellmill;

struct Options {
  std::int64_t cells = 4096, genes = 60664, entries = 2000, repeats = 7;
  std::string store;
};

struct Cells {
  std::int64_t genes = 0;
  std::vector<std::int64_t> indptr = {0};
  std::vector<std::int32_t> columns;
  std::vector<float> values;
  std::int64_t rows() const { return static_cast<std::int64_t>(indptr.size()) - 1; }
};

double draw(std::uint64_t cell, std::uint64_t i) {
  return random::unit(random::bits(random::Use::kTest, {cell, i}));
}

/// Genes that are seen often stand anywhere; counts fall off as 1 / count^2.
Cells made_cells(const Options& o) {
  Cells cells;
  cells.genes = o.genes;
  std::vector<double> often(o.genes);
  double sum = 0;
  for (std::int64_t g = 0; g < o.genes; ++g)
    sum += often[g] = 1 / std::pow(draw(1u << 30, g) * static_cast<double>(o.genes) + 20, 0.95);
  for (std::int64_t c = 0; c < o.cells; ++c) {
    const double u = std::max(draw(c, 0), 1e-9), v = draw(c, 1);
    const double normal = std::sqrt(-2 * std::log(u)) * std::cos(6.283185307 * v);
    const double wanted = static_cast<double>(o.entries) * std::exp(0.55 * normal - 0.151);
    const double scale = 1e4 / (wanted * 2);
    for (std::int64_t g = 0; g < o.genes; ++g) {
      // P(count > 0) saturates at 1 for the commonest genes
      const double seen = 1 - std::exp(-1.6 * wanted * often[g] / sum);
      const double w = draw(c, 16 + 2 * g);
      if (w >= seen) continue;
      const auto count = std::min(200.0, std::floor(std::pow(1 - draw(c, 17 + 2 * g), -0.7)));
      cells.columns.push_back(static_cast<std::int32_t>(g));
      cells.values.push_back(static_cast<float>(std::log1p(count * scale)));
    }
    cells.indptr.push_back(static_cast<std::int64_t>(cells.columns.size()));
  }
  return cells;
}

Cells stored_cells(const Options& o) {
  data::SourceOptions options;
  options.path = o.store;
  options.metadata = "none";
  const auto source = data::open_source(options);
  Cells cells;
  cells.genes = static_cast<std::int64_t>(source->vocabulary().genes.size());
  for (const auto& info : source->index()) {
    const auto chunk = source->load(info.id);
    for (std::int64_t r = 0; r < chunk.rows && cells.rows() < o.cells; ++r) {
      const auto begin = chunk.indptr[r], end = chunk.indptr[r + 1];
      cells.columns.insert(cells.columns.end(), chunk.indices.begin() + begin,
                           chunk.indices.begin() + end);
      cells.values.insert(cells.values.end(), chunk.values.begin() + begin,
                          chunk.values.begin() + end);
      cells.indptr.push_back(static_cast<std::int64_t>(cells.columns.size()));
    }
    if (cells.rows() == o.cells) break;
  }
  return cells;
}

/// min, median, max of cells/s over the repeats, after one that does not count.
io::Json rate(const Options& o, std::int64_t cells, const std::function<void()>& work) {
  std::vector<double> rates;
  for (std::int64_t i = -1; i < o.repeats; ++i) {
    Stopwatch watch;
    work();
    if (i >= 0) rates.push_back(static_cast<double>(cells) / watch.seconds());
  }
  std::sort(rates.begin(), rates.end());
  return {{"min", std::round(rates.front())},
          {"median", std::round(rates[rates.size() / 2])},
          {"max", std::round(rates.back())}};
}

/// Blocks of 64 cells of the store in a random order, into a buffer of 4,096 that is used again.
io::Json read_rate(const Options& o, bool verify) {
  data::SourceOptions options;
  options.path = o.store;
  options.verify = verify;
  const auto source = data::open_source(options);
  std::vector<std::pair<std::int64_t, std::int64_t>> blocks;
  for (const auto& info : source->index())
    for (std::int64_t begin = 0; begin + 64 <= info.rows; begin += 64)
      blocks.emplace_back(info.id, begin);
  random::shuffle(blocks, random::Use::kTest, 1);
  data::Chunk rows;
  return rate(o, static_cast<std::int64_t>(blocks.size()) * 64, [&] {
    for (const auto& [chunk, begin] : blocks) {
      if (rows.rows >= 4096) rows.clear();
      source->read(chunk, begin, begin + 64, rows);
    }
  });
}

void require(bool good, const char* what) {
  if (!good) throw InternalError(what);
}

struct Bench {
  const Options& o;
  const Cells& cells;
  std::vector<std::uint8_t> coded = {};
  std::vector<std::size_t> ends = {0};
  std::vector<std::int32_t> columns = std::vector<std::int32_t>(1 << 17);
  std::vector<float> values = std::vector<float>(1 << 17);

  void encode() {
    coded.clear();
    ends.assign(1, 0);
    for (std::int64_t r = 0; r < cells.rows(); ++r) {
      const auto at = cells.indptr[r], n = cells.indptr[r + 1] - at;
      io::encode_row({cells.columns.data() + at, static_cast<std::size_t>(n)},
                     {cells.values.data() + at, static_cast<std::size_t>(n)}, coded);
      ends.push_back(coded.size());
    }
  }
  template <class Decode>
  void decode(Decode decode_row) {
    for (std::size_t r = 0; r + 1 < ends.size(); ++r) {
      io::CodedRow row;
      const char* wrong = io::parse_row({coded.data() + ends[r], ends[r + 1] - ends[r]}, row);
      if (wrong == nullptr) wrong = decode_row(row, cells.genes, columns.data(), values.data());
      require(wrong == nullptr, "a row did not decode");
    }
  }
  void digests() {
    std::uint64_t sum = 0;
    for (std::size_t r = 0; r + 64 < ends.size(); r += 64)
      sum ^= io::digest_number(coded.data() + ends[r], ends[r + 64] - ends[r], r);
    require(sum != 1, "a digest");
  }
  /// Both arrays of 64 cells at a time, deflated; inflated by `inflate(from, size, to, size)`.
  template <class Inflate>
  std::pair<io::Json, double> deflated(Inflate inflate) {
    std::vector<std::vector<std::uint8_t>> parts;
    std::vector<std::size_t> sizes;
    double bytes = 0;
    const auto add = [&](const void* from, std::size_t size) {
      std::vector<std::uint8_t> part(compressBound(size));
      uLongf written = part.size();
      require(compress2(part.data(), &written, static_cast<const Bytef*>(from), size, 6) == Z_OK,
              "zlib");
      part.resize(written);
      bytes += static_cast<double>(written);
      parts.push_back(std::move(part));
      sizes.push_back(size);
    };
    for (std::int64_t r = 0; r < cells.rows(); r += 64) {
      const auto at = cells.indptr[r], n = cells.indptr[std::min(r + 64, cells.rows())] - at;
      add(cells.columns.data() + at, 4 * n);
      add(cells.values.data() + at, 4 * n);
    }
    std::vector<std::uint8_t> into(*std::max_element(sizes.begin(), sizes.end()));
    const auto measured = rate(o, cells.rows(), [&] {
      for (std::size_t i = 0; i < parts.size(); ++i)
        require(inflate(parts[i].data(), parts[i].size(), into.data(), sizes[i]), "inflating");
    });
    return {measured, bytes / static_cast<double>(cells.rows())};
  }
};

int run(const Options& o) {
  const Cells cells = o.store.empty() ? made_cells(o) : stored_cells(o);
  const auto rows = static_cast<double>(cells.rows());
  Bench bench{o, cells};
  io::Json line{{"benchmark", "row_code"},
                {"cells", cells.rows()},
                {"genes", cells.genes},
                {"entries_a_cell", static_cast<double>(cells.columns.size()) / rows},
                {"decoder", io::row_decoder()}};
  line["encode"] = rate(o, cells.rows(), [&] { bench.encode(); });
  line["bytes_a_cell"] = static_cast<double>(bench.coded.size()) / rows;
  line["decode"] = rate(o, cells.rows(), [&] { bench.decode(io::decode_row); });
  line["decode_plain"] = rate(o, cells.rows(), [&] { bench.decode(io::decode_row_plain); });
  line["digest"] = rate(o, cells.rows(), [&] { bench.digests(); });
  auto* deflate = libdeflate_alloc_decompressor();
  const auto [fast, deflated_bytes] = bench.deflated([&](auto* from, auto n, auto* to, auto size) {
    return libdeflate_zlib_decompress(deflate, from, n, to, size, nullptr) == LIBDEFLATE_SUCCESS;
  });
  libdeflate_free_decompressor(deflate);
  line["libdeflate"] = fast;
  line["zlib"] = bench
                     .deflated([&](auto* from, auto n, auto* to, auto size) {
                       uLongf written = size;
                       return uncompress(to, &written, from, n) == Z_OK;
                     })
                     .first;
  line["deflated_bytes_a_cell"] = deflated_bytes;
  if (o.store.ends_with(".cmpack")) {
    line["read"] = read_rate(o, true);
    line["read_trusting"] = read_rate(o, false);
  }
  log::say(line.dump());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return cellmill::comm::run_world(argc, argv, [&](cellmill::comm::World&) {
    Options o;
    config::CommandLine line("bench_row_code", "What a coded row costs.");
    using config::Need;
    line.option("store", &o.store, "real cells: .h5ad, npz folder or .cmpack");
    line.option("cells", &o.cells, "cells", Need::kOptional, config::at_least(64));
    line.option("genes", &o.genes, "genes of made cells", Need::kOptional, config::at_least(64));
    line.option("entries", &o.entries, "mean entries of made cells", Need::kOptional,
                config::at_least(1));
    line.option("repeats", &o.repeats, "repeats", Need::kOptional, config::at_least(1));
    if (!line.parse({argv + 1, argv + argc})) {
      log::say(line.help());
      return 0;
    }
    return run(o);
  });
}
