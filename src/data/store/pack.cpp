#include "data/store/pack.h"

#include <algorithm>

#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "base/permutation.h"
#include "base/progress.h"
#include "base/stopwatch.h"
#include "data/in_order.h"
#include "data/store/shard_writer.h"
#include "data/store/spill.h"
#include "data/store/staging.h"
#include "io/descriptor.h"
#include "io/digest.h"
#include "io/json.h"

namespace cellmill::data {

namespace fs = std::filesystem;

namespace {

std::int64_t threads_of(const PackOptions& options) { return threads_or_cores(options.threads); }

/// The files that the chunks come from, with digests: for the record, and to go on with the same
/// input only.
std::vector<PackSourceFile> source_files(const ChunkSource& source, const SourceOptions& input,
                                         std::int64_t threads) {
  std::vector<std::string> paths;
  for (const ChunkInfo& chunk : source.index())
    if (fs::is_regular_file(chunk.name)) paths.push_back(chunk.name);
  if (paths.empty() && fs::is_regular_file(input.path)) paths.push_back(input.path);
  std::vector<PackSourceFile> files;
  const auto describe = [&](std::int64_t i) {
    const std::string& path = paths[i];
    return PackSourceFile{fs::path(path).filename().string(),
                          static_cast<std::int64_t>(fs::file_size(path)), io::digest_file(path)};
  };
  in_order(0, static_cast<std::int64_t>(paths.size()), threads, describe,
           [&](PackSourceFile file) { files.push_back(std::move(file)); });
  return files;
}

std::string job_text(const StoreFacts& facts, std::int64_t shard_cells) {
  io::Json json{{"format", kPackFormat},
                {"cells", facts.cells},
                {"shard_cells", shard_cells},
                {"shuffled", facts.shuffled},
                {"seed", facts.seed},
                {"normalised", facts.normalised},
                {"vocabulary", facts.vocabulary_digest}};
  for (const PackSourceFile& file : facts.sources)
    json["sources"].push_back({file.name, file.bytes, file.digest});
  return json.dump(1) + "\n";
}

/// All cells of the source from number `first` on, coded, in order.
template <class Take>
void code_cells(const ChunkSource& source, std::int64_t first, std::int64_t threads, Take take) {
  const std::vector<Piece> pieces = pieces_of(source, first);
  const auto code = [&](std::int64_t i) {
    const Piece& piece = pieces[i];
    Chunk chunk;
    source.read(piece.chunk, piece.begin, piece.end, chunk);
    CodedRows rows(source.vocabulary().fields.size());
    rows.append(chunk, source.index()[piece.chunk].first_cell + piece.begin);
    return rows;
  };
  in_order(0, static_cast<std::int64_t>(pieces.size()), threads, code, take);
}

void check_output(const PackOptions& options) {
  if (options.shard_cells == 0 && options.output.extension() != ".cmpack")
    throw UsageError(options.output.string() + " is no name for a store",
                     "name a file that ends in .cmpack, or give --shard-cells for a folder");
}

StoreFacts facts_of(const ChunkSource& source, const SourceOptions& input,
                    const PackOptions& options) {
  StoreFacts facts;
  for (const ChunkInfo& chunk : source.index()) facts.cells += chunk.rows;
  if (facts.cells == 0)
    throw DataError({input.path, {}, "cells", "none"}, "there is nothing to pack");
  if (options.shard_cells > 0)
    facts.shards = (facts.cells + options.shard_cells - 1) / options.shard_cells;
  facts.shuffled = options.shuffle;
  facts.seed = options.shuffle ? options.seed : 0;
  facts.normalised = input.raw_counts;
  facts.vocabulary_digest = digest_of(source.vocabulary());
  facts.sources = source_files(source, input, threads_of(options));
  return facts;
}

Progress progress_of(const char* title, std::int64_t cells, std::int64_t done) {
  ProgressOptions options;
  options.title = title;
  options.total = cells;
  options.unit = "cells";
  options.start = done;
  return Progress(options);
}

void write_in_order(const ChunkSource& source, std::int64_t threads, ShardWriter& writer,
                    std::int64_t cells) {
  Progress progress = progress_of("packing", cells, writer.next_cell());
  code_cells(source, writer.next_cell(), threads, [&](const CodedRows& rows) {
    writer.add(rows);
    progress.update(writer.next_cell());
  });
  progress.finish();
}

void write_shuffled(const ChunkSource& source, std::int64_t threads, ShardWriter& writer,
                    const StoreFacts& facts, const fs::path& folder) {
  const random::Permutation order(random::Use::kPack, static_cast<std::uint64_t>(facts.cells),
                                  static_cast<std::uint64_t>(facts.seed));
  Spill spill(folder, source.vocabulary().fields.size(), facts.cells,
              [order](std::int64_t number) { return order(static_cast<std::uint64_t>(number)); });
  {
    std::int64_t done = spill.rows();
    if (done > 0) log::info("going on with the {} cells that were coded", done);
    Progress progress = progress_of("coding", facts.cells, done);
    if (done < facts.cells) {
      code_cells(source, done, threads, [&](const CodedRows& rows) {
        spill.add(rows);
        progress.update(done += static_cast<std::int64_t>(rows.size()));
      });
      spill.flush();
    }
    progress.finish();
  }
  Progress progress = progress_of("shuffling", facts.cells, writer.next_cell());
  spill.read(writer.next_cell(), [&](const CodedRows& rows) {
    writer.add(rows);
    progress.update(writer.next_cell());
  });
  progress.finish();
}

}  // namespace

PackReport pack(const SourceOptions& input, const PackOptions& options) {
  Stopwatch watch;
  check_output(options);
  const auto source = open_source(input);
  if (source->vocabulary().ranked)
    throw UsageError(input.path + " is a token store, which is not packed",
                     "pack the data that the tokens were made of");
  const StoreFacts facts = facts_of(*source, input, options);
  const std::int64_t shard_cells = options.shard_cells > 0 ? options.shard_cells : facts.cells;
  Staging staging(options.output, ".packing", job_text(facts, shard_cells));
  PackReport report;
  try {
    const fs::path store = staging.folder() / "store", spill = staging.folder() / "spill";
    ShardWriter writer(store, facts, source->vocabulary(), shard_cells);
    report.resumed_at = writer.next_cell();
    if (staging.resumed()) log::info("going on at cell {} of {}", report.resumed_at, facts.cells);
    if (options.shuffle)
      write_shuffled(*source, threads_of(options), writer, facts, spill);
    else
      write_in_order(*source, threads_of(options), writer, facts.cells);
    const auto& written = writer.written();
    report.cells = written.cells;
    report.shards = written.shards;
    report.bytes = written.bytes;
    report.csr_bytes = 8 * written.entries + 8 * (written.cells + 1);
    fs::remove_all(spill);
    staging.publish(options.shard_cells > 0 ? store : store / ShardWriter::name_of(0));
  } catch (const DataError& error) {
    if (error.code() != Exit::kIo) throw;
    throw DataError({}, error.what(),
                    fmt::format("make room; the same command goes on from {}; nothing is at {}",
                                staging.folder().string(), options.output.string()),
                    error.code());
  } catch (const fs::filesystem_error& error) {
    io::throw_system_error(error.path1(), "write", error.code().value());
  }
  report.seconds = watch.seconds();
  return report;
}

std::string text_of(const PackReport& report) {
  const auto cells = static_cast<double>(report.cells);
  return fmt::format(
      "{} cells in {} file{}: {:.0f} bytes a cell, {:.2f} times smaller than CSR with int32 and "
      "float32 ({:.0f}); {:.1f} s",
      report.cells, report.shards, report.shards == 1 ? "" : "s",
      static_cast<double>(report.bytes) / cells,
      static_cast<double>(report.csr_bytes) / static_cast<double>(report.bytes),
      static_cast<double>(report.csr_bytes) / cells, report.seconds);
}

}  // namespace cellmill::data
