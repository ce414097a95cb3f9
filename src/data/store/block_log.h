#pragma once
// An unfinished file of blocks, appended to by one process at a time. Blocks say how long they are
// and carry digests, so that the file needs no journal: after a killed writer, whatever is whole at
// its beginning counts and the rest is cut off.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "data/store/coded_rows.h"
#include "io/descriptor.h"

namespace cellmill::data {

class BlockLog {
 public:
  /// Opens or makes the file, and recovers it. `found` sees every block that counts, in order;
  /// the first for which it returns false is cut off, with all after it.
  BlockLog(std::filesystem::path path, std::size_t fields,
           const std::function<bool(const BlockView&)>& found = {});
  const std::filesystem::path& path() const { return path_; }
  /// Cuts off all but the first `blocks`.
  void keep(std::uint64_t blocks);
  /// One block of all of `rows`.
  void append(const CodedRows& rows);
  std::uint64_t blocks() const { return ends_.size() - 1; }
  std::int64_t rows() const { return rows_.back(); }
  /// Where blocks begin, and where the last one ends.
  const std::vector<std::int64_t>& offsets() const { return ends_; }

 private:
  std::filesystem::path path_;
  io::Descriptor file_;
  std::vector<std::int64_t> ends_ = {0};
  std::vector<std::int64_t> rows_ = {0};  // up to the end of each
};

/// Calls `visit` with every block of a file of nothing but blocks, in order, as long as they are
/// whole and `visit` returns true. Returns the bytes of those for which it did.
std::uint64_t scan_blocks(const std::filesystem::path& path, std::size_t fields,
                          const std::function<bool(const BlockView&)>& visit);

}  // namespace cellmill::data
