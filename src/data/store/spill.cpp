#include "data/store/spill.h"

#include <algorithm>

#include "base/error.h"
#include "base/format.h"

namespace cellmill::data {

namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kMostBuckets = 512, kLeastCells = 32768;
constexpr std::size_t kFlushBytes = 128 << 20;
constexpr std::size_t kTakenRows = 4096;

}  // namespace

Spill::Spill(const fs::path& folder, std::size_t fields, std::int64_t cells,
             std::function<std::uint64_t(std::int64_t)> place)
    : fields_(fields),
      bucket_cells_(static_cast<std::size_t>(
          std::max(kLeastCells, (cells + kMostBuckets - 1) / kMostBuckets))),
      cells_(cells),
      place_(std::move(place)) {
  fs::create_directories(folder);
  const std::size_t buckets = (static_cast<std::size_t>(cells) + bucket_cells_ - 1) / bucket_cells_;
  std::uint64_t flushed = ~std::uint64_t{0};
  for (std::size_t b = 0; b < buckets; ++b) {
    logs_.emplace_back(folder / fmt::format("bucket-{:03}", b), fields);
    flushed = std::min(flushed, logs_.back().blocks());
  }
  for (BlockLog& log : logs_) log.keep(flushed);  // every flush adds one block to each
  waiting_.assign(buckets, CodedRows(fields));
}

std::int64_t Spill::rows() const {
  std::int64_t rows = 0;
  for (const BlockLog& log : logs_) rows += log.rows();
  return rows;
}

void Spill::add(const CodedRows& rows) {
  for (std::size_t r = 0; r < rows.size(); ++r)
    waiting_[bucket_of(rows.number(r))].append(rows.number(r), rows.labels(r), rows.row(r));
  waiting_bytes_ += rows.bytes();
  if (waiting_bytes_ >= kFlushBytes) flush();
}

void Spill::flush() {
  for (std::size_t b = 0; b < logs_.size(); ++b) {
    logs_[b].append(waiting_[b]);
    waiting_[b].clear();
  }
  waiting_bytes_ = 0;
}

CodedRows Spill::load(std::size_t bucket, std::vector<std::int64_t>& row_at) const {
  const auto begin = static_cast<std::int64_t>(bucket * bucket_cells_);
  const fs::path& path = logs_[bucket].path();
  row_at.assign(std::min<std::int64_t>(static_cast<std::int64_t>(bucket_cells_), cells_ - begin),
                -1);
  CodedRows rows(fields_);
  std::vector<std::int32_t> labels(fields_);
  scan_blocks(path, fields_, [&](const BlockView& block) {
    for (std::int64_t r = 0; r < block.rows(); ++r) {
      const std::int64_t number = block.number(r);
      for (std::size_t f = 0; f < fields_; ++f) labels[f] = block.label(r, f);
      row_at.at(static_cast<std::int64_t>(place_(number)) - begin) =
          static_cast<std::int64_t>(rows.size());
      rows.append(number, labels, block.row(r));
    }
    return true;
  });
  if (rows.size() != row_at.size() || std::find(row_at.begin(), row_at.end(), -1) != row_at.end())
    throw DataError(
        {path.string(), {}, fmt::format("{} cells", row_at.size()), fmt::format("{}", rows.size())},
        "was damaged while it was in use", "remove its folder and start anew");
  return rows;
}

void Spill::read(std::int64_t first, const std::function<void(const CodedRows&)>& take) const {
  CodedRows run(fields_);
  for (std::size_t b = static_cast<std::size_t>(first) / bucket_cells_; b < logs_.size(); ++b) {
    std::vector<std::int64_t> row_at;
    const CodedRows rows = load(b, row_at);
    const auto begin = static_cast<std::int64_t>(b * bucket_cells_);
    for (std::size_t i = std::max<std::int64_t>(first - begin, 0); i < row_at.size(); ++i) {
      const auto r = static_cast<std::size_t>(row_at[i]);
      run.append(rows.number(r), rows.labels(r), rows.row(r));
      if (run.size() < kTakenRows && i + 1 < row_at.size()) continue;
      take(run);
      run.clear();
    }
  }
}

}  // namespace cellmill::data
