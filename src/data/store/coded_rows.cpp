#include "data/store/coded_rows.h"

#include <algorithm>
#include <limits>

#include "base/format.h"
#include "io/digest.h"
#include "io/little_endian.h"

namespace cellmill::data {

using io::take;

void CodedRows::append(std::int64_t number, std::span<const std::int32_t> labels,
                       std::span<const std::uint8_t> row) {
  numbers_.push_back(number);
  labels_.insert(labels_.end(), labels.begin(), labels.end());
  bytes_.insert(bytes_.end(), row.begin(), row.end());
  ends_.push_back(bytes_.size());
}

void CodedRows::append(const Chunk& chunk, std::int64_t first) {
  for (std::int64_t r = 0; r < chunk.rows; ++r) {
    const auto at = static_cast<std::size_t>(chunk.indptr[r]);
    const auto n = static_cast<std::size_t>(chunk.indptr[r + 1]) - at;
    io::encode_row({chunk.indices.data() + at, n}, {chunk.values.data() + at, n}, bytes_);
    ends_.push_back(bytes_.size());
    numbers_.push_back(first + r);
  }
  labels_.insert(labels_.end(), chunk.labels.begin(), chunk.labels.end());
}

void CodedRows::clear() {
  ends_.clear();
  numbers_.clear();
  labels_.clear();
  bytes_.clear();
}

std::vector<std::uint8_t> make_block(const CodedRows& rows, std::uint64_t block) {
  const std::size_t n = rows.size();
  const std::size_t fields = n == 0 ? 0 : rows.labels(0).size();
  const std::size_t bytes = kBlockHead + n * (4 + 8 + 4 * fields) + rows.bytes();
  if (bytes > std::numeric_limits<std::uint32_t>::max())
    throw DataError(
        {{}, fmt::format("block {}", block), "less than 4 GiB", fmt::format("{} bytes", bytes)},
        "the cells of a block are too large to be packed");
  std::vector<std::uint8_t> made(bytes);
  std::uint8_t* to = made.data() + 8;
  const auto put = [&](const void* from, std::size_t size) {
    if (size > 0) std::memcpy(to, from, size);
    to += size;
  };
  const auto put32 = [&](std::size_t value) {
    const auto narrow = static_cast<std::uint32_t>(value);
    put(&narrow, 4);
  };
  put32(bytes);
  put32(n);
  std::size_t end = 0;
  for (std::size_t r = 0; r < n; ++r) put32(end += rows.row(r).size());
  for (std::size_t r = 0; r < n; ++r) {
    const std::int64_t number = rows.number(r);
    put(&number, 8);
  }
  if (n > 0) put(rows.labels(0).data(), 4 * n * fields);
  if (n > 0) put(rows.row(0).data(), rows.bytes());
  const std::uint64_t digest = io::digest_number(made.data() + 8, bytes - 8, block);
  std::memcpy(made.data(), &digest, 8);
  return made;
}

std::uint32_t block_bytes(const std::uint8_t* head) { return take<std::uint32_t>(head + 8); }

namespace {

DataError damage(const std::filesystem::path& file, const std::string& where,
                 const std::string& what) {
  return DataError({file.string(), where, {}, {}}, what, "copy the file again, or pack it anew");
}

DataError damage(const std::filesystem::path& file, std::uint64_t block, std::int64_t row,
                 const std::string& what) {
  return damage(file, fmt::format("block {}, row {}", block, row), what);
}

}  // namespace

BlockView::BlockView(std::span<const std::uint8_t> bytes, std::size_t fields, Place place,
                     Digests digests)
    : file_(place.file),
      block_(place.block),
      fields_(fields),
      bytes_(static_cast<std::int64_t>(bytes.size())) {
  if (bytes.size() < kBlockHead || block_bytes(bytes.data()) != bytes.size())
    damaged("is not as long as it says");
  if (digests == Digests::kVerify && io::digest_number(bytes.data() + 8, bytes.size() - 8,
                                                       block_) != take<std::uint64_t>(bytes.data()))
    damaged("is damaged: its digest differs");
  rows_ = take<std::uint32_t>(bytes.data() + 12);
  const std::uint64_t tables = static_cast<std::uint64_t>(rows_) * (4 + 8 + 4 * fields);
  if (tables > bytes.size() - kBlockHead) damaged("is damaged: too many rows");
  ends_ = bytes.data() + kBlockHead;
  numbers_ = ends_ + 4 * rows_;
  labels_ = numbers_ + 8 * rows_;
  coded_ = bytes.data() + kBlockHead + tables;
  const std::size_t size = bytes.size() - kBlockHead - tables;
  for (std::int64_t r = 0; r < rows_; ++r)
    if (end_of(r) < end_of(r - 1)) throw damage(file_, block_, r, "ends before it begins");
  if (end_of(rows_ - 1) != size) damaged("is damaged: rows and bytes differ");
}

DataError no_row(const std::filesystem::path& file, std::uint64_t block, std::int64_t row,
                 const char* wrong) {
  return damage(file, block, row, std::string("is no row: ") + wrong);
}

void BlockView::damaged(const std::string& what) const {
  throw damage(file_, fmt::format("block {}", block_), what);
}

std::uint32_t BlockView::end_of(std::int64_t row) const {
  return row < 0 ? 0 : take<std::uint32_t>(ends_ + 4 * row);
}

std::int64_t BlockView::number(std::int64_t row) const {
  return take<std::int64_t>(numbers_ + 8 * row);
}

std::int32_t BlockView::label(std::int64_t row, std::size_t field) const {
  return take<std::int32_t>(labels_ + 4 * (row * fields_ + field));
}

std::span<const std::uint8_t> BlockView::row(std::int64_t row) const {
  return {coded_ + end_of(row - 1), coded_ + end_of(row)};
}

io::CodedRow BlockView::parse(std::int64_t row, std::int64_t genes) const {
  io::CodedRow coded;
  const char* wrong = io::parse_row(this->row(row), coded);
  if (wrong == nullptr && coded.entries > genes) wrong = "more entries than genes";
  if (wrong == nullptr) {
    bool good = true;
    for (std::uint32_t i = 0; i < coded.floats_size(); ++i) {
      const auto value = take<float>(coded.floats + 4 * i);
      good &= value >= 0 && value <= std::numeric_limits<float>::max();
    }
    if (!good) wrong = "a value that is negative or not finite";
  }
  if (wrong != nullptr) throw no_row(file_, block_, row, wrong);
  return coded;
}

void BlockView::copy_labels(std::int64_t row, std::span<const LabelColumn> wanted,
                            std::int32_t* to) const {
  for (const LabelColumn& field : wanted) {
    const std::int32_t code = label(row, field.column);
    if (code < kMissing || code >= field.categories)
      throw damage(file_, block_, row,
                   fmt::format("has the label {} of {} categories", code, field.categories));
    *to++ = code;
  }
}

void BlockView::decode_row(std::int64_t row, Chunk& chunk) const {
  const io::CodedRow coded = parse(row, chunk.genes);
  const auto at = static_cast<std::size_t>(chunk.indptr.back());
  chunk.indices.resize(at + coded.entries);
  chunk.values.resize(at + coded.entries);
  const char* const wrong =
      io::decode_row(coded, chunk.genes, chunk.indices.data() + at, chunk.values.data() + at);
  if (wrong != nullptr) throw no_row(file_, block_, row, wrong);
  chunk.indptr.push_back(static_cast<std::int64_t>(at + coded.entries));
}

void BlockView::decode(std::int64_t begin, std::int64_t end, std::span<const LabelColumn> labels,
                       Chunk& chunk) const {
  for (std::int64_t row = begin; row < end; ++row) {
    decode_row(row, chunk);
    chunk.labels.resize(chunk.labels.size() + labels.size());
    copy_labels(row, labels, chunk.labels.data() + chunk.labels.size() - labels.size());
  }
  chunk.rows += end - begin;
}

}  // namespace cellmill::data
