#include "data/census.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>

namespace cellmill::data {
namespace {

constexpr std::size_t kMostPairs = 4 << 20;  // categories times categories, of all pairs together

void add_up(std::vector<std::int64_t>& into, const std::vector<std::int64_t>& more) {
  for (std::size_t i = 0; i < into.size(); ++i) into[i] += more[i];
}

std::size_t place_of(std::int32_t code, std::size_t places) {
  return code == kMissing ? places - 1 : static_cast<std::size_t>(code);
}

}  // namespace

Census::Census(const Vocabulary& vocabulary) : gene_cells(vocabulary.genes.size()) {
  for (const Field& field : vocabulary.fields) {
    const std::vector<std::int64_t> none(field.categories.size() + 1);
    fields.push_back({none, none});
  }
  std::size_t taken = 0;
  for (std::size_t f = 0; f < fields.size(); ++f)
    for (std::size_t g = f + 1; g < fields.size(); ++g) {
      const std::size_t places = fields[f].cells.size() * fields[g].cells.size();
      pairs.push_back({f, g, {}});
      if (taken + places > kMostPairs) continue;
      taken += places;
      pairs.back().cells.resize(places);
    }
}

void Census::add(const Chunk& rows, const CellFilter* validation, std::int64_t first_cell) {
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    double sum = 0, expanded = 0;
    std::int64_t genes_here = 0;
    for (auto k = rows.indptr[r]; k < rows.indptr[r + 1]; ++k) {
      const float value = rows.values[k];
      sum += value;
      expanded += std::expm1(std::min(value, 30.0F));
      zeros += value == 0;
      fractional += value != std::floor(value);
      largest = std::max(largest, static_cast<double>(value));
      if (value > 0) {
        ++genes_here;
        ++gene_cells[static_cast<std::size_t>(rows.indices[k])];
      }
    }
    library.add(sum);
    counts_log.add(expanded);
    genes.add(static_cast<double>(genes_here));
    const bool out = validation && (*validation)[static_cast<std::size_t>(first_cell + r)];
    held_out += out;
    const std::int32_t* labels = rows.labels.data() + r * static_cast<std::int64_t>(fields.size());
    for (std::size_t f = 0; f < fields.size(); ++f) {
      const auto place = place_of(labels[f], fields[f].cells.size());
      ++fields[f].cells[place];
      if (out) ++fields[f].held_out[place];
    }
    for (PairCount& pair : pairs) {
      if (pair.cells.empty()) continue;
      const auto across = fields[pair.second].cells.size();
      ++pair.cells[place_of(labels[pair.first], fields[pair.first].cells.size()) * across +
                   place_of(labels[pair.second], across)];
    }
  }
  cells += rows.rows;
  entries += rows.entries();
}

void Census::merge(const Census& other) {
  cells += other.cells;
  held_out += other.held_out;
  entries += other.entries;
  zeros += other.zeros;
  fractional += other.fractional;
  largest = std::max(largest, other.largest);
  library.merge(other.library);
  counts_log.merge(other.counts_log);
  genes.merge(other.genes);
  add_up(gene_cells, other.gene_cells);
  for (std::size_t f = 0; f < fields.size(); ++f) {
    add_up(fields[f].cells, other.fields[f].cells);
    add_up(fields[f].held_out, other.fields[f].held_out);
  }
  for (std::size_t p = 0; p < pairs.size(); ++p) add_up(pairs[p].cells, other.pairs[p].cells);
  for (const auto& [fault, count] : other.faults) faults[fault].merge(count);
  unreadable.insert(other.unreadable.begin(), other.unreadable.end());
}

Census take_census(const ChunkSource& source, const CensusPlan& plan, const Faults* faults) {
  const auto& index = source.index();
  const auto workers = static_cast<std::size_t>(std::max<std::int64_t>(1, plan.threads));
  std::vector<Census> counted(workers, Census(source.vocabulary()));
  std::atomic<std::size_t> next = static_cast<std::size_t>(plan.shard.index);
  const auto work = [&](Census& census) {
    constexpr std::int64_t kRows = 2048;
    Chunk rows;
    for (;;) {
      const auto id = next.fetch_add(static_cast<std::size_t>(plan.shard.count));
      if (id >= index.size()) return;
      const ChunkInfo& chunk = index[id];
      const std::int64_t at_once =
          source.reads_rows() ? kRows : std::max<std::int64_t>(1, chunk.rows);
      try {
        for (std::int64_t begin = 0; begin < chunk.rows; begin += at_once) {
          rows.clear();
          source.read(chunk.id, begin, std::min(begin + at_once, chunk.rows), rows);
          census.add(rows, plan.validation, chunk.first_cell + begin);
        }
      } catch (const std::exception& error) {
        census.unreadable.emplace(chunk.name, error.what());
      }
    }
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 1; t < workers; ++t) threads.emplace_back([&, t] { work(counted[t]); });
    work(counted[0]);
  }
  Census& all = counted[0];
  for (std::size_t t = 1; t < workers; ++t) all.merge(counted[t]);
  if (faults) all.faults = faults->counts();
  return std::move(all);
}

}  // namespace cellmill::data
