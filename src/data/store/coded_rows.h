#pragma once
// Cells on their way into or out of a store: expression as coded rows (io/row_code.h), with the
// number that each cell has in the data set it came from, and its label codes.
//
// A block is some consecutive cells of a store, whole in itself: one read and one digest.
// Little-endian:
//   u64 digest (XXH3 of all that follows, seeded with the block's number in its file)
//   u32 bytes of the block · u32 rows · u32 end of each row, from the first row on
//   i64 number of each cell · i32 labels [rows, fields] · the coded rows
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "data/chunk.h"
#include "io/row_code.h"

namespace cellmill::data {

class CodedRows {
 public:
  explicit CodedRows(std::size_t fields) : fields_(fields) {}
  std::size_t size() const { return numbers_.size(); }
  std::size_t bytes() const { return bytes_.size(); }
  std::int64_t number(std::size_t row) const { return numbers_[row]; }
  std::span<const std::int32_t> labels(std::size_t row) const {
    return {labels_.data() + row * fields_, fields_};
  }
  std::span<const std::uint8_t> row(std::size_t row) const {
    const std::size_t begin = row == 0 ? 0 : ends_[row - 1];
    return {bytes_.data() + begin, ends_[row] - begin};
  }
  void append(std::int64_t number, std::span<const std::int32_t> labels,
              std::span<const std::uint8_t> row);
  /// Codes all rows of `chunk`, of which the first has the number `first`.
  void append(const Chunk& chunk, std::int64_t first);
  void clear();

 private:
  std::size_t fields_;
  std::vector<std::size_t> ends_;
  std::vector<std::int64_t> numbers_;
  std::vector<std::int32_t> labels_;
  std::vector<std::uint8_t> bytes_;
};

/// The block of all of `rows`. Throws DataError if it would be of 4 GiB and more.
std::vector<std::uint8_t> make_block(const CodedRows& rows, std::uint64_t block);

inline constexpr std::size_t kBlockHead = 16;
/// Bytes of the block that begins with these kBlockHead bytes, as it says.
std::uint32_t block_bytes(const std::uint8_t* head);

/// Says of a row of a block what io::decode_row said.
DataError no_row(const std::filesystem::path& file, std::uint64_t block, std::int64_t row,
                 const char* wrong);

/// Whether block digests are compared when blocks are read.
enum class Digests { kVerify, kTrust };

/// A field of the labels that is wanted: its place among those of the block, and its categories.
struct LabelColumn {
  std::size_t column;
  std::int32_t categories;
};

/// A block taken apart; points into its bytes. Nothing in it leads outside of them.
class BlockView {
 public:
  struct Place {
    const std::filesystem::path& file;
    std::uint64_t block;
  };
  /// Throws DataError (65) with file and block for bytes that are not what they say, or of another
  /// digest.
  BlockView(std::span<const std::uint8_t> bytes, std::size_t fields, Place place, Digests digests);
  std::int64_t rows() const { return rows_; }
  std::int64_t bytes() const { return bytes_; }
  std::int64_t number(std::int64_t row) const;
  std::int32_t label(std::int64_t row, std::size_t field) const;
  std::span<const std::uint8_t> row(std::int64_t row) const;
  /// The row of a cell of `genes` columns, its values tested; its codes and columns are tested by
  /// io::decode_row. Throws DataError.
  io::CodedRow parse(std::int64_t row, std::int64_t genes) const;
  /// The codes of the row's wanted labels. Throws DataError for one without category.
  void copy_labels(std::int64_t row, std::span<const LabelColumn> wanted, std::int32_t* to) const;
  /// Appends rows [begin, end) to `chunk`, whose `genes` are set and whose indptr begins with 0.
  /// Throws DataError with file, block and row for what is no row of `chunk.genes` columns, has a
  /// value that is negative or not finite, or a label without category.
  void decode(std::int64_t begin, std::int64_t end, std::span<const LabelColumn> labels,
              Chunk& chunk) const;

 private:
  [[noreturn]] void damaged(const std::string& what) const;
  std::uint32_t end_of(std::int64_t row) const;
  void decode_row(std::int64_t row, Chunk& chunk) const;

  const std::filesystem::path& file_;
  std::uint64_t block_;
  std::size_t fields_;
  std::int64_t rows_ = 0, bytes_;
  const std::uint8_t *ends_ = nullptr, *numbers_ = nullptr, *labels_ = nullptr, *coded_ = nullptr;
};

}  // namespace cellmill::data
