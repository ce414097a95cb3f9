#include "data/store/unpack.h"

#include <functional>

#include "base/error.h"
#include "base/progress.h"
#include "base/stopwatch.h"
#include "data/store/cell_writer.h"
#include "data/store/pack_store.h"
#include "data/store/spill.h"
#include "data/store/staging.h"
#include "io/files.h"

namespace cellmill::data {

namespace fs = std::filesystem;

namespace {

using Visit = std::function<void(const BlockView&)>;

void visit_packed_order(const PackStore& store, const Visit& visit) {
  for (const PackFile& shard : store.shards) shard.for_each_block(visit);
}

void visit_original_order(const PackStore& store, const fs::path& folder, const Visit& visit) {
  const std::size_t fields = store.vocabulary.fields.size();
  Spill spill(folder, fields, store.facts().cells,
              [](std::int64_t number) { return static_cast<std::uint64_t>(number); });
  std::vector<std::int32_t> labels(fields);
  CodedRows rows(fields);
  visit_packed_order(store, [&](const BlockView& block) {
    rows.clear();
    for (std::int64_t r = 0; r < block.rows(); ++r) {
      for (std::size_t f = 0; f < fields; ++f) labels[f] = block.label(r, f);
      rows.append(block.number(r), labels, block.row(r));
    }
    spill.add(rows);
  });
  spill.flush();
  spill.read(0, [&](const CodedRows& run) {
    const auto bytes = make_block(run, 0);
    visit(BlockView(bytes, fields, {folder, 0}, Digests::kTrust));
  });
}

void write_cells(const PackStore& store, const UnpackOptions& options, const fs::path& scratch,
                 CellWriter& writer) {
  std::vector<LabelColumn> labels;
  for (const Field& field : store.vocabulary.fields)
    labels.push_back({labels.size(), static_cast<std::int32_t>(field.categories.size())});
  Progress progress("unpacking", store.facts().cells, "cells");
  std::int64_t done = 0;
  Chunk chunk{.genes = static_cast<std::int64_t>(store.vocabulary.genes.size())};
  std::vector<std::int64_t> numbers;
  const auto write = [&](const BlockView& block) {
    chunk.clear();
    chunk.indptr.push_back(0);
    block.decode(0, block.rows(), labels, chunk);
    numbers.clear();
    for (std::int64_t r = 0; r < block.rows(); ++r) numbers.push_back(block.number(r));
    writer.add(chunk, numbers);
    progress.update(done += block.rows());
  };
  if (options.original_order && store.facts().shuffled)
    visit_original_order(store, scratch, write);
  else
    visit_packed_order(store, write);
  writer.finish();
  progress.finish();
}

void sync_all(const fs::path& made) {
  if (fs::is_directory(made))
    for (const auto& entry : fs::directory_iterator(made)) io::sync_file(entry.path());
  else
    io::sync_file(made);
}

}  // namespace

UnpackReport unpack(const UnpackOptions& options) {
  Stopwatch watch;
  const PackStore store = open_pack_store(options.input);
  const UnpackReport report{store.facts().cells, store.entries(), 0};
  const bool h5ad = options.output.extension() == ".h5ad";
  Staging staging(options.output, ".unpacking", "unpack\n");
  try {
    const fs::path made = staging.folder() / "made", scratch = staging.folder() / "spill";
    fs::remove_all(made);  // of a killed one
    fs::remove_all(scratch);
    const auto writer = h5ad ? write_h5ad(made, store.vocabulary, report.cells, report.entries)
                             : write_npz_folder(made, store.vocabulary, options.file_cells);
    write_cells(store, options, scratch, *writer);
    sync_all(made);
    staging.publish(made);
  } catch (const fs::filesystem_error& error) {
    staging.abandon();
    io::throw_system_error(error.path1(), "write", error.code().value());
  } catch (...) {
    staging.abandon();
    throw;
  }
  return {report.cells, report.entries, watch.seconds()};
}

}  // namespace cellmill::data
