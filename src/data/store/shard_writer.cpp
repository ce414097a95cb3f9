#include "data/store/shard_writer.h"

#include <algorithm>

#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "io/row_code.h"

namespace cellmill::data {

namespace fs = std::filesystem;

ShardWriter::ShardWriter(fs::path folder, StoreFacts store, Vocabulary vocabulary,
                         std::int64_t shard_cells)
    : folder_(std::move(folder)),
      store_(std::move(store)),
      vocabulary_(std::move(vocabulary)),
      shard_cells_(shard_cells),
      block_(vocabulary_.fields.size()) {
  fs::create_directories(folder_);
  recover();
  open_log();
}

std::string ShardWriter::name_of(std::int64_t shard) {
  return fmt::format("shard-{:05}.cmpack", shard);
}

std::int64_t ShardWriter::cells_of(std::int64_t shard) const {
  return std::min(shard_cells_, store_.cells - shard * shard_cells_);
}

std::int64_t ShardWriter::next_cell() const {
  return written_.cells + (log_ ? log_->rows() : 0) + static_cast<std::int64_t>(block_.size());
}

void ShardWriter::recover() {
  while (written_.shards < store_.shards && take_finished(folder_ / name_of(written_.shards))) {
  }
  for (const auto& entry : fs::directory_iterator(folder_)) {
    const std::string name = entry.path().filename().string();
    const bool finished = name.ends_with(".cmpack") && name < name_of(written_.shards);
    if (!finished && name != name_of(written_.shards) + ".blocks") fs::remove(entry.path());
  }
}

bool ShardWriter::take_finished(const fs::path& path) {
  if (!fs::exists(path)) return false;
  try {
    const PackFile file(path);
    std::int64_t cells = 0;
    file.for_each_block([&](const BlockView& block) { cells += block.rows(); });
    if (file.store() != store_ || file.shard().first_cell != written_.cells ||
        cells != cells_of(written_.shards))
      return false;
    written_.entries += file.shard().entries;
    written_.bytes += static_cast<std::int64_t>(file.bytes());
    written_.cells += cells;
    ++written_.shards;
    return true;
  } catch (const DataError& error) {
    log::warn("{}; it is written anew", error.what());
    return false;
  }
}

void ShardWriter::open_log() {
  entries_ = 0;
  log_.reset();
  if (written_.shards == store_.shards) return;
  const std::int64_t cells = cells_of(written_.shards);
  std::int64_t rows = 0;
  log_ = std::make_unique<BlockLog>(folder_ / (name_of(written_.shards) + ".blocks"),
                                    vocabulary_.fields.size(), [&](const BlockView& block) {
                                      if (block.rows() != std::min(kBlockRows, cells - rows))
                                        return false;
                                      rows += block.rows();
                                      for (std::int64_t r = 0; r < block.rows(); ++r)
                                        entries_ += io::row_entries(block.row(r).data());
                                      return true;
                                    });
  if (rows == cells) finish_shard();
}

void ShardWriter::add(const CodedRows& rows) {
  for (std::size_t r = 0; r < rows.size(); ++r) {
    if (!log_) throw InternalError("more cells than the store is to have");
    block_.append(rows.number(r), rows.labels(r), rows.row(r));
    entries_ += io::row_entries(rows.row(r).data());
    const auto waiting = static_cast<std::int64_t>(block_.size());
    const bool last = log_->rows() + waiting == cells_of(written_.shards);
    if (waiting < kBlockRows && !last) continue;
    log_->append(block_);
    block_.clear();
    if (last) finish_shard();
  }
}

void ShardWriter::finish_shard() {
  const fs::path path = folder_ / name_of(written_.shards);
  const ShardFacts shard{written_.shards, written_.cells, cells_of(written_.shards), entries_};
  write_pack_file(path, store_, shard, vocabulary_, *log_);
  fs::remove(log_->path());
  written_.cells += shard.cells;
  written_.entries += shard.entries;
  written_.bytes += static_cast<std::int64_t>(fs::file_size(path));
  ++written_.shards;
  open_log();
}

}  // namespace cellmill::data
