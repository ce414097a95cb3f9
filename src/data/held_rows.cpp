#include "data/held_rows.h"

#include <algorithm>
#include <cstring>

#include "data/chunk_source.h"
#include "data/stream_copy.h"

namespace cellmill::data {
namespace {

class CsrRows : public HeldRows {
 public:
  explicit CsrRows(const ChunkSource& source)
      : source_(source),
        fields_(static_cast<std::int64_t>(source.vocabulary().fields.size())),
        entries_(source.entries() / std::max<std::int64_t>(source.cells(), 1)) {}

  std::int64_t read(std::int64_t chunk, std::span<const std::int32_t> rows) override {
    const auto expected = static_cast<std::int64_t>(rows.size()) * entries_;
    const auto room = static_cast<std::size_t>(rows_.entries() + expected + expected / 8);
    rows_.indices.reserve(room);
    rows_.values.reserve(room);
    std::int64_t bytes = 0;
    for (std::size_t i = 0, j = 0; i < rows.size(); i = j) {
      for (j = i + 1; j < rows.size() && rows[j] == rows[j - 1] + 1;) ++j;
      bytes += source_.read(chunk, rows[i], rows[j - 1] + 1, rows_);
    }
    return bytes;
  }
  void clear() override { rows_.clear(); }
  std::int64_t size() const override { return rows_.rows; }
  std::int64_t bytes() const override { return rows_.bytes(); }
  std::int64_t entries(std::int64_t row) const override {
    return rows_.indptr[row + 1] - rows_.indptr[row];
  }
  void put(std::int64_t row, const Target& to) const override {
    const std::int64_t begin = rows_.indptr[row];
    const auto bytes = static_cast<std::size_t>(entries(row)) * 4;
    const auto copy = to.past_caches ? stream_copy : plain_copy;
    if (bytes > 0) {
      copy(to.columns, rows_.indices.data() + begin, bytes);
      copy(to.values, rows_.values.data() + begin, bytes);
    }
    std::copy_n(rows_.labels.data() + row * fields_, fields_, to.labels);
  }

 private:
  static void plain_copy(void* to, const void* from, std::size_t bytes) {
    std::memcpy(to, from, bytes);
  }
  const ChunkSource& source_;
  const std::int64_t fields_, entries_;  // of a row; on average
  Chunk rows_;
};

}  // namespace

std::unique_ptr<HeldRows> csr_rows(const ChunkSource& source) {
  return std::make_unique<CsrRows>(source);
}

}  // namespace cellmill::data
