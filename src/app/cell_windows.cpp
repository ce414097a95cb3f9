#include "app/cell_windows.h"

#include <algorithm>
#include <cstring>

#include "base/format.h"
#include "data/plan.h"

namespace cellmill::app {
namespace {

/// Every rank's numbers, in order of rank, on every rank.
template <class T>
std::vector<T> gathered(comm::Communicator& world, std::vector<T> own) {
  if (world.size() == 1) return own;
  const auto texts = world.gather_texts(
      std::string(reinterpret_cast<const char*>(own.data()), own.size() * sizeof(T)));
  std::vector<T> all;
  for (const std::string& text : texts) {
    const std::size_t held = all.size();
    all.resize(held + text.size() / sizeof(T));
    std::memcpy(all.data() + held, text.data(), text.size());
  }
  return all;
}

}  // namespace

CellWindows::CellWindows(comm::World& world, infer::CellSequences& cells, std::int64_t window_cells,
                         const std::string& title)
    : world_(world),
      cells_(cells),
      window_cells_(window_cells),
      progress_(title, cells.cells(), "cells") {}

bool CellWindows::next() {
  begin_ = end_;
  if (begin_ == cells_.cells()) return false;
  end_ = std::min(begin_ + window_cells_, cells_.cells());
  comm::set_phase(fmt::format("reading cells {} to {}", begin_, end_ - 1));
  const data::Shard mine{world_.rank, world_.size};
  const std::int64_t cells = end_ - begin_;
  infer::CellSequences::Part part;
  comm::agree(*world_.host_world,
              [&] { part = cells_.read(begin_ + mine.begin(cells), begin_ + mine.end(cells)); });
  std::vector<std::int64_t> lengths;
  for (std::int64_t i = 0; i < part.sequences.size(); ++i)
    lengths.push_back(part.sequences.length(i));
  sequences_.tokens = gathered(*world_.host_world, std::move(part.sequences.tokens));
  sequences_.offsets = {0};
  for (const std::int64_t length : gathered(*world_.host_world, std::move(lengths)))
    sequences_.offsets.push_back(sequences_.offsets.back() + length);
  const auto labels = gathered(*world_.host_world, std::move(part.labels));
  labels_.insert(labels_.end(), labels.begin(), labels.end());
  comm::set_phase(fmt::format("cells {} to {}", begin_, end_ - 1));
  return true;
}

void CellWindows::note(std::int64_t done, std::int64_t mine) {
  comm::note_progress();
  progress_.update(begin_ + (end_ - begin_) * done / std::max(mine, std::int64_t{1}));
}

void CellWindows::finish() { progress_.finish(); }

std::vector<infer::Column> CellWindows::labels() const {
  std::vector<infer::Column> columns;
  const std::size_t fields = cells_.fields().size();
  for (std::size_t f = 0; f < fields; ++f) {
    infer::Categorical values{{}, cells_.fields()[f].categories};
    for (std::size_t i = f; i < labels_.size(); i += fields) values.codes.push_back(labels_[i]);
    columns.push_back({cells_.fields()[f].name, std::move(values)});
  }
  return columns;
}

}  // namespace cellmill::app
