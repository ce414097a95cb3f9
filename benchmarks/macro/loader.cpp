// What the loader delivers when nothing consumes its batches: cells/s, batch times, the first
// batch, peak memory, bytes read, and how well batches are mixed. One untimed epoch checks that
// every cell comes once and takes the entropy; then each repetition opens the data anew and runs a
// new loader for --epochs (1) or --seconds, first batch included. Under mpirun every rank loads its
// share and says what it read. `--cache cold` drops the files from the page cache before each
// repetition. `--dense` writes each batch as float32 [cells, genes] into one reused buffer.
#include "data/loader.h"

#include <ATen/Parallel.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <map>
#include <memory>

#include "base/format.h"
#include "base/log.h"
#include "base/stopwatch.h"
#include "benchmarks/harness/figures.h"
#include "comm/world.h"
#include "config/command_line.h"
#include "io/json.h"

namespace {

using namespace cellmill;
namespace fs = std::filesystem;

struct Options {
  data::SourceOptions source;
  data::LoaderOptions loading;
  std::string cache = "warm", entropy_field;
  std::int64_t batch = 4096, repetitions = 5, epochs = 1;
  bool dense = false;
  double seconds = 5;
};

struct Repetition {
  double open = 0, first = 0, total = 0, processor = 0;
  std::int64_t cells = 0;
  std::vector<double> batches;  // seconds, without the first
  data::LoaderCounters counters;
};

void drop_from_cache(const std::string& path) {
  const auto drop = [](const fs::path& file) {
    const int number = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (number < 0) return;
    ::fdatasync(number);
    ::posix_fadvise(number, 0, 0, POSIX_FADV_DONTNEED);
    ::close(number);
  };
  if (!fs::is_directory(path)) return drop(path);
  for (const auto& entry : fs::recursive_directory_iterator(path))
    if (entry.is_regular_file()) drop(entry.path());
}

/// A reused buffer of huge pages: memset and scatter, row by row.
class Dense {
 public:
  Dense(std::int64_t cells, std::int64_t genes)
      : bytes_(static_cast<std::size_t>(cells * genes) * sizeof(float)) {
    void* memory =
        ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw InternalError("no memory for dense batches");
    ::madvise(memory, bytes_, MADV_HUGEPAGE);
    std::memset(memory, 0, bytes_);
    values_ = static_cast<float*>(memory);
  }
  ~Dense() { ::munmap(values_, bytes_); }
  Dense(const Dense&) = delete;
  void fill(const data::Batch& batch) {
    const auto* indptr = batch.indptr.const_data_ptr<std::int64_t>();
    const auto* indices = batch.indices.const_data_ptr<std::int32_t>();
    const auto* values = batch.values.const_data_ptr<float>();
    const std::int64_t genes = batch.genes;
    at::parallel_for(0, batch.size(), 64, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        float* row = values_ + i * genes;
        std::memset(row, 0, static_cast<std::size_t>(genes) * sizeof(float));
        for (std::int64_t k = indptr[i]; k < indptr[i + 1]; ++k) row[indices[k]] = values[k];
      }
    });
  }

 private:
  std::size_t bytes_;
  float* values_ = nullptr;
};

data::Loader open_loader(const data::ChunkSource& source, const Options& o,
                         const comm::World& world) {
  const auto plan = data::plan_options(o.loading, o.batch * world.size, 7);
  return {source, nullptr, plan, o.loading, {world.rank, world.size}};
}

double entropy(const data::Batch& batch, std::int64_t field) {
  std::map<std::int64_t, double> count;
  const auto* labels = batch.labels.const_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < batch.size(); ++i) ++count[labels[i * batch.labels.size(1) + field]];
  double bits = 0;
  for (const auto& [label, n] : count) {
    const double p = n / static_cast<double>(batch.size());
    bits -= p * std::log2(p);
  }
  return bits;
}

/// One epoch: mean and least entropy of full batches, and that no cell comes twice.
io::Json check(const Options& o, const comm::World& world) {
  const auto source = data::open_source(o.source);
  const auto& fields = source->vocabulary().fields;
  const auto field = std::find_if(fields.begin(), fields.end(),
                                  [&](const auto& f) { return f.name == o.entropy_field; });
  auto loader = open_loader(*source, o, world);
  std::vector<bool> seen(static_cast<std::size_t>(loader.plan().cells()));
  std::int64_t cells = 0, twice = 0, batches = 0;
  double bits = 0, least = HUGE_VAL, sum = 0;
  while (const auto batch = loader.next()) {
    cells += batch->size();
    const auto* numbers = batch->cells.const_data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < batch->size(); ++i) {
      twice += seen[numbers[i]];
      seen[numbers[i]] = true;
    }
    const auto* values = batch->values.const_data_ptr<float>();
    for (std::int64_t k = 0; k < batch->values.numel(); ++k) sum += values[k];
    if (field == fields.end() || batch->global_cells < o.batch * world.size) continue;
    const double h = entropy(*batch, field - fields.begin());
    bits += h;
    least = std::min(least, h);
    ++batches;
  }
  io::Json found = {{"cells", cells}, {"twice", twice}, {"sum_of_values", sum}};
  if (batches > 0) found["entropy_bits"] = {{"mean", bits / batches}, {"min", least}};
  return found;
}

Repetition repeat(const Options& o, const comm::World& world, Dense* dense) {
  Repetition rep;
  if (o.cache == "cold") drop_from_cache(o.source.path);
  Stopwatch watch;
  const auto source = data::open_source(o.source);
  rep.open = watch.lap();
  auto loader = open_loader(*source, o, world);
  const Stopwatch whole;
  const std::clock_t before = std::clock();
  for (std::int64_t ended = 0; ended < o.epochs;) {
    const auto batch = loader.next();
    if (!batch) {
      ++ended;
      continue;
    }
    if (dense) dense->fill(*batch);
    rep.cells += batch->size();
    const double seconds = watch.lap();
    if (rep.first == 0)
      rep.first = seconds;
    else
      rep.batches.push_back(seconds);
    if (whole.seconds() > o.seconds) break;
  }
  rep.total = rep.first;
  for (const double seconds : rep.batches) rep.total += seconds;
  rep.processor = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
  rep.counters = loader.counters();
  return rep;
}

double quantile(std::vector<double>& values, double q) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
}

void measure(const Options& o, const comm::World& world) {
  at::set_num_threads(static_cast<int>(o.loading.threads));
  io::Json line = {{"benchmark", "loader"},
                   {"commit", benchmarks::commit()},
                   {"host", world.host},
                   {"path", o.source.path},
                   {"cache", o.cache},
                   {"out", o.dense ? "dense" : "sparse"},
                   {"batch", o.batch},
                   {"threads", o.loading.threads},
                   {"block_cells", o.loading.block_cells},
                   {"buffer_cells", o.loading.buffer_cells},
                   {"memory_mb", o.loading.memory_mb},
                   {"epochs", o.epochs},
                   {"rank", world.rank},
                   {"ranks", world.size},
                   {"epoch", check(o, world)}};
  const auto source = data::open_source(o.source);
  const auto genes = static_cast<std::int64_t>(source->vocabulary().genes.size());
  const auto dense = o.dense ? std::make_unique<Dense>(o.batch, genes) : nullptr;
  std::vector<double> rates, processor, firsts, opens, p50, p99, ratios;
  for (std::int64_t r = 0; r < o.repetitions; ++r) {
    Repetition rep = repeat(o, world, dense.get());
    rates.push_back(static_cast<double>(rep.cells) / rep.total);
    processor.push_back(rep.processor / static_cast<double>(rep.cells) * 1e6);
    firsts.push_back(rep.first);
    opens.push_back(rep.open);
    p50.push_back(quantile(rep.batches, 0.5) * 1e3);
    p99.push_back(quantile(rep.batches, 0.99) * 1e3);
    ratios.push_back(p99.back() / p50.back());
    line["bytes_read"] = rep.counters.bytes_read;
    line["rows_read"] = rep.counters.rows_read;
    line["rows_held_peak_mb"] = static_cast<double>(rep.counters.peak_bytes) / 1048576;
    line["wait_seconds"] = rep.counters.wait_seconds;
  }
  line["cells_per_second"] = benchmarks::spread(rates);
  line["processor_us_per_cell"] =
      benchmarks::spread(processor);  // of all threads: on a busy machine too
  line["first_batch_seconds"] = benchmarks::spread(firsts);
  line["open_seconds"] = benchmarks::spread(opens);
  line["batch_ms_p50"] = benchmarks::spread(p50);
  line["batch_ms_p99"] = benchmarks::spread(p99);
  line["p99_over_p50"] = benchmarks::spread(ratios);
  line["peak_rss_mb"] = benchmarks::peak_mb();
  const auto& rate = line["cells_per_second"];
  log::say(fmt::format("rank {}: {:.0f} / {:.0f} / {:.0f} cells/s (min / median / max)\n{}",
                       world.rank, rate["min"].get<double>(), rate["median"].get<double>(),
                       rate["max"].get<double>(), line.dump()));
}

int run(comm::World& world, const std::vector<std::string>& arguments) {
  Options o;
  config::CommandLine line("bench_loader", "What the loader delivers.");
  line.option("path", &o.source.path, "folder of .npz, an .h5ad, a packed store");
  line.option("format", &o.source.format, "as data.format");
  line.option("fields", &o.source.fields, "label fields");
  line.option("metadata", &o.source.metadata, "as data.metadata");
  line.option("entropy-field", &o.entropy_field, "label field to take the entropy of");
  line.option("batch", &o.batch, "cells a batch and rank", config::Need::kOptional,
              config::at_least(1));
  line.option("threads", &o.loading.threads, "background threads", config::Need::kOptional,
              config::at_least(1));
  line.option("block-cells", &o.loading.block_cells, "as data.loader.block_cells");
  line.option("buffer-cells", &o.loading.buffer_cells, "as data.loader.buffer_cells");
  line.option("memory-mb", &o.loading.memory_mb, "as data.loader.memory_mb");
  line.option("order", &o.loading.order, "mixed or chunk");
  line.option("cache", &o.cache, "warm or cold", config::Need::kOptional,
              config::one_of({"warm", "cold"}));
  line.option("dense", &o.dense, "float32 [cells, genes] batches");
  line.option("repetitions", &o.repetitions, "new loaders", config::Need::kOptional,
              config::at_least(1));
  line.option("epochs", &o.epochs, "of a repetition", config::Need::kOptional, config::at_least(1));
  line.option("seconds", &o.seconds, "most of a repetition");
  if (!line.parse(arguments)) {
    if (world.rank == 0) log::say(line.help());
    return 0;
  }
  measure(o, world);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return cellmill::comm::run_world(argc, argv, [&](cellmill::comm::World& world) {
    return run(world, {argv + 1, argv + argc});
  });
}
