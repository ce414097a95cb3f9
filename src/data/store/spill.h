#pragma once
// Coded rows in another order, through files: rows go to the bucket of their new place, then one
// bucket after the other is put in order. Exact for any order, reads and writes in long runs, and
// memory holds one bucket (1/512 of the cells, at least 32,768 of them) or what is not yet flushed.
// A killed writer goes on where it was last flushed.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "data/store/block_log.h"
#include "data/store/coded_rows.h"

namespace cellmill::data {

class Spill {
 public:
  /// `place` says where among the `cells` a cell of this number comes, each place once.
  /// Makes `folder`, or goes on with what is in it.
  Spill(const std::filesystem::path& folder, std::size_t fields, std::int64_t cells,
        std::function<std::uint64_t(std::int64_t)> place);
  /// How many rows are in it: the first so many that were added.
  std::int64_t rows() const;
  void add(const CodedRows& rows);
  void flush();
  /// Hands on all rows from place `first` on, in order of place. Throws DataError if a file was
  /// damaged since.
  void read(std::int64_t first, const std::function<void(const CodedRows&)>& take) const;

 private:
  std::size_t bucket_of(std::int64_t number) const {
    return static_cast<std::size_t>(place_(number)) / bucket_cells_;
  }
  CodedRows load(std::size_t bucket, std::vector<std::int64_t>& row_at) const;

  std::size_t fields_, bucket_cells_;
  std::int64_t cells_;
  std::function<std::uint64_t(std::int64_t)> place_;
  std::vector<BlockLog> logs_;
  std::vector<CodedRows> waiting_;
  std::size_t waiting_bytes_ = 0;
};

}  // namespace cellmill::data
