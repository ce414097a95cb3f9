#include "app/embedding_run.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

#include "app/cell_windows.h"
#include "base/stopwatch.h"
#include "infer/gene_means.h"

namespace cellmill::app {
namespace {

// Long enough for batches of like lengths and for many ranks; in tokens 64 MB at most.
constexpr std::int64_t kWindowCells = 8192;
// A window's rows lie in memory: for a vector a cell and gene 256 MB at most.
constexpr std::int64_t kWindowCellsOfGenes = 64;

using Cells = std::vector<std::int64_t>;

/// Batches of this rank of the window's.
std::vector<Cells> mine(const EmbeddingRun& run, const data::Sequences& window) {
  const auto batches = infer::plan_batches(window, run.options);
  std::vector<Cells> own;
  for (std::size_t b = 0; b < batches.size(); ++b)
    if (infer::share_of(static_cast<std::int64_t>(b), run.world.size) == run.world.rank)
      own.push_back(batches[b]);
  return own;
}

/// Calls `work` with the cells of each of this rank's batches.
template <class Work>
void for_batches(const EmbeddingRun& run, CellWindows& windows, Work work) {
  const auto batches = mine(run, windows.sequences());
  std::int64_t all = 0, done = 0;
  for (const Cells& cells : batches) all += static_cast<std::int64_t>(cells.size());
  for (const Cells& cells : batches) {
    work(cells, infer::chosen(windows.sequences(), cells));
    windows.note(done += static_cast<std::int64_t>(cells.size()), all);
  }
}

std::unique_ptr<infer::EmbeddingFile> file_of(const EmbeddingRun& run, infer::RowNames names) {
  std::unique_ptr<infer::EmbeddingFile> file;
  comm::agree(*run.world.host_world, [&] {
    if (run.world.rank == 0)
      file = infer::make_embedding_file(run.output, std::move(names), run.encoder.width());
  });
  return file;
}

void append(const EmbeddingRun& run, infer::EmbeddingFile* file, at::Tensor& rows) {
  run.world.host_world->all_reduce(rows, comm::Op::kSum);  // each row is one rank's, elsewhere 0
  comm::agree(*run.world.host_world, [&] {
    if (file) file->append(rows);
  });
}

void finish(const EmbeddingRun& run, infer::EmbeddingFile* file, infer::RowNotes notes) {
  notes.facts = run.facts;
  comm::agree(*run.world.host_world, [&] {
    if (file) file->finish(notes);
  });
}

void embed_cells(const EmbeddingRun& run, EmbeddingCount& count) {
  infer::Embedder embedder(run.encoder, run.options);
  CellWindows windows(run.world, run.cells, kWindowCells, "embedding");
  const auto file = file_of(run, {"cells", run.cells.names()});
  while (windows.next()) {
    const auto& window = windows.sequences();
    at::Tensor rows = at::zeros({window.size(), run.encoder.width()});
    for_batches(run, windows, [&](const Cells& cells, const data::Sequences& batch) {
      rows.index_copy_(0, at::tensor(at::ArrayRef<std::int64_t>(cells)), embedder.embed(batch));
    });
    for (std::int64_t i = 0; i < window.size(); ++i)
      if (window.length(i) == 0 && run.world.rank == 0)
        rows[i].fill_(std::numeric_limits<float>::quiet_NaN());
    append(run, file.get(), rows);
    count.without_genes += rows.select(1, 0).isnan().sum().item<std::int64_t>();
    count.rows += window.size();
  }
  finish(run, file.get(), {.obs = windows.labels(), .numbers = {}, .texts = {}, .facts = {}});
  windows.finish();
}

void embed_genes(const EmbeddingRun& run, EmbeddingCount& count) {
  infer::Embedder embedder(run.encoder, run.options);
  CellWindows windows(run.world, run.cells, kWindowCells, "embedding");
  infer::GeneMeans means(run.encoder.dictionary(), run.encoder.width(), run.world.device);
  while (windows.next())
    for_batches(run, windows, [&](const Cells&, const data::Sequences& batch) {
      means.add(embedder.hidden(batch), batch);
    });
  run.world.tensors().all_reduce(means.sums(), comm::Op::kSum);
  run.world.tensors().all_reduce(means.cells(), comm::Op::kSum);
  const at::Tensor found = means.found(), cells = means.cells().cpu();
  infer::RowNames names{"genes", {}};
  std::vector<float> numbers;
  for (std::int64_t i = 0; i < found.numel(); ++i) {
    const auto token = found.const_data_ptr<std::int64_t>()[i];
    names.names.push_back(run.encoder.dictionary().tokens[static_cast<std::size_t>(token)]);
    numbers.push_back(static_cast<float>(cells.const_data_ptr<std::int64_t>()[token]));
  }
  count.rows = found.numel();
  const auto file = file_of(run, std::move(names));
  comm::agree(*run.world.host_world, [&] {
    if (file) file->append(means.means());
  });
  finish(run, file.get(),
         {.obs = {{"n_cells", std::move(numbers)}}, .numbers = {}, .texts = {}, .facts = {}});
  windows.finish();
}

void embed_genes_of_cells(const EmbeddingRun& run, EmbeddingCount& count) {
  const auto& dictionary = run.encoder.dictionary();
  infer::Embedder embedder(run.encoder, run.options);
  CellWindows windows(run.world, run.cells, kWindowCellsOfGenes, "embedding");
  const auto file = file_of(run, {"cells", run.cells.names()});
  std::vector<std::int64_t> genes, offsets = {0};
  while (windows.next()) {
    const auto& window = windows.sequences();
    const std::int64_t before = offsets.back();
    const auto first_cell = offsets.size() - 1;
    for (const infer::Rows& rows : infer::gene_rows(window, dictionary)) {
      genes.insert(genes.end(), window.tokens.begin() + rows.begin,
                   window.tokens.begin() + rows.end);
      offsets.push_back(offsets.back() + rows.size());
    }
    at::Tensor all = at::zeros({offsets.back() - before, run.encoder.width()});
    for_batches(run, windows, [&](const Cells& cells, const data::Sequences& batch) {
      const at::Tensor hidden = embedder.hidden(batch);
      const auto from = infer::gene_rows(batch, dictionary);
      for (std::size_t i = 0; i < cells.size(); ++i)
        all.narrow(0, offsets[first_cell + static_cast<std::size_t>(cells[i])] - before,
                   from[i].size())
            .copy_(hidden.narrow(0, from[i].begin, from[i].size()));
    });
    append(run, file.get(), all);
  }
  count.rows = offsets.back();
  for (std::size_t i = 0; i + 1 < offsets.size(); ++i)
    count.without_genes += offsets[i] == offsets[i + 1];
  finish(run, file.get(),
         {.obs = windows.labels(),
          .numbers = {{"gene", std::move(genes)}, {"offsets", std::move(offsets)}},
          .texts = {{"gene_names", dictionary.tokens}},
          .facts = {}});
  windows.finish();
}

}  // namespace

EmbeddingCount embed(const EmbeddingRun& run) {
  const Stopwatch watch;
  EmbeddingCount count;
  if (run.options.pooling != infer::Pooling::kGene)
    embed_cells(run, count);
  else if (run.per_cell)
    embed_genes_of_cells(run, count);
  else
    embed_genes(run, count);
  count.seconds = watch.seconds();
  return count;
}

}  // namespace cellmill::app
