// Training steps of the rank encoder on cells that rank_pretrain.py wrote: a line a cell, its
// tokens in order. For every line on stdin it takes the next batch and says: seconds, tokens,
// loss. As a peer's partner, so that both take turns.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <sstream>

#include "base/stopwatch.h"
#include "comm/solo_communicator.h"
#include "config/command_line.h"
#include "models/model_table.h"
#include "train/step.h"

namespace {

using namespace cellmill;

constexpr std::int64_t kGenes = 25424, kSpecial = 2;

std::vector<std::vector<std::int64_t>> read_cells(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::vector<std::int64_t>> cells;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    cells.emplace_back(std::istream_iterator<std::int64_t>(words),
                       std::istream_iterator<std::int64_t>());
  }
  return cells;
}

/// Counts that have the tokens' order.
data::Batch batch_of(const std::vector<std::vector<std::int64_t>>& cells, std::size_t first,
                     std::int64_t count) {
  std::vector<std::int64_t> indptr = {0}, indices;
  std::vector<float> values;
  for (auto i = first; i < first + static_cast<std::size_t>(count); ++i) {
    const auto& cell = cells.at(i);
    std::vector<std::pair<std::int64_t, float>> entries;
    for (std::size_t rank = 0; rank < cell.size(); ++rank)
      entries.emplace_back(cell[rank] - kSpecial, static_cast<float>(cell.size() - rank));
    std::sort(entries.begin(), entries.end());
    for (const auto& [column, value] : entries) {
      indices.push_back(column);
      values.push_back(value);
    }
    indptr.push_back(static_cast<std::int64_t>(indices.size()));
  }
  data::Batch batch;
  batch.indptr = at::tensor(indptr, at::kLong);
  batch.indices = at::tensor(indices, at::kInt);
  batch.values = at::tensor(values);
  batch.labels = at::zeros({count, 0}, at::kLong);
  batch.cells = at::arange(static_cast<std::int64_t>(first),
                           static_cast<std::int64_t>(first) + count, at::kLong);
  batch.genes = kGenes;
  batch.global_cells = count;
  return batch;
}

}  // namespace

int main(int count, char** words) {
  std::string path, precision = "float32", device = "cpu";
  std::int64_t cells_a_batch = 12, threads = 2;
  double dropout = 0.02;
  models::ModelOptions options;
  options.name = "rank_encoder";
  auto& o = options.rank_encoder;
  config::CommandLine line("bench_rank_step", "Training steps of the rank encoder.");
  line.positional("CELLS", &path, "a line a cell: its tokens");
  line.option("batch", &cells_a_batch, "cells a step");
  line.option("threads", &threads, "of LibTorch");
  line.option("layers", &o.layers, "encoder layers");
  line.option("hidden", &o.hidden, "width");
  line.option("heads", &o.heads, "attention heads");
  line.option("intermediate", &o.intermediate, "width of the feed-forward part");
  line.option("dropout", &dropout, "both");
  line.option("precision", &precision, "float32 or bfloat16");
  line.option("device", &device, "cpu or cuda");
  if (!line.parse({words + 1, words + count})) {
    std::cout << line.help() << '\n';
    return 0;
  }
  o.dropout = {dropout, dropout};
  at::set_num_threads(static_cast<int>(threads));
  data::Vocabulary vocabulary;
  for (std::int64_t g = 0; g < kGenes; ++g) vocabulary.genes.push_back("G" + std::to_string(g));
  const auto cells = read_cells(path);
  const auto model = models::make_model(options, vocabulary, 0, at::kFloat);
  model->to(at::Device(device));
  comm::SoloCommunicator alone;
  train::StepOptions stepping;
  stepping.precision = train::precision_of(precision);
  train::Stepper stepper(*model, alone, 0, stepping);
  std::size_t next = 0;
  for (std::string turn; std::getline(std::cin, turn);) {
    const auto batch = batch_of(cells, next, cells_a_batch);
    next = (next + static_cast<std::size_t>(cells_a_batch)) % cells.size();
    Stopwatch watch;
    const auto result = stepper.step(batch, 1, {});
    std::cout << watch.seconds() << ' ' << batch.indices.numel() << ' '
              << result.losses.at("masked_genes") << std::endl;
  }
  const auto& times = stepper.times();
  std::cerr << "forward " << times.forward << " backward " << times.backward << " optimise "
            << times.optimise << '\n';
}
