#pragma once
// Cells on the host. A Chunk is a value: a run of consecutive cells of one file as CSR, with their
// label codes. A Vocabulary says what the codes and columns mean. Nothing here knows a file format.
#include <cstdint>
#include <string>
#include <vector>

#include "base/unset_vector.h"

namespace cellmill::data {

inline constexpr std::int32_t kMissing = -1;  ///< code of a label that is not known

/// One metadata field; the code of a category is its place in `categories`.
struct Field {
  std::string name;
  std::vector<std::string> categories;
  bool operator==(const Field&) const = default;
};

struct Vocabulary {
  std::vector<Field> fields;       ///< the conditioning fields, in the order of the label columns
  std::vector<std::string> genes;  ///< one name a column of expression
  bool ranked = false;  ///< values are places in a cell's ranking, highest first: n, n-1, ..., 1
  bool operator==(const Vocabulary&) const = default;
};

/// Throws DataError naming the first field, category or gene that differs, with its place; `file`
/// is whose vocabulary was found.
void check_vocabulary(const Vocabulary& expected, const Vocabulary& found, const std::string& file);

/// `rows` cells. CSR: indptr [rows+1], indices and values [nnz], columns strictly rising in a row,
/// values finite and >= 0. Growing does not clear the new entries.
struct Chunk {
  std::int64_t id = 0;
  std::int64_t rows = 0;
  std::int64_t genes = 0;
  std::vector<std::int64_t> indptr = {};
  UnsetVector<std::int32_t> indices = {};
  UnsetVector<float> values = {};
  std::vector<std::int32_t> labels = {};  ///< [rows, fields], row-major, kMissing where unknown

  std::int64_t entries() const { return indptr.empty() ? 0 : indptr.back(); }
  /// Appends rows [begin, end) of another.
  void append(const Chunk& other, std::int64_t begin, std::int64_t end);
  /// No rows; the memory stays for the next ones.
  void clear() {
    rows = 0;
    indptr.clear();
    indices.clear();
    values.clear();
    labels.clear();
  }
  std::int64_t bytes() const {
    return static_cast<std::int64_t>(indptr.size() * 8 + indices.size() * 4 + values.size() * 4 +
                                     labels.size() * 4);
  }
};

/// What is known of a chunk before it is loaded. `first_cell` numbers its first cell in the data
/// set: the sum of the rows before it.
struct ChunkInfo {
  std::int64_t id = 0;
  std::int64_t rows = 0;
  std::int64_t first_cell = 0;
  std::string name;  ///< for messages: the file, or file and row range
};

}  // namespace cellmill::data
