#include "io/row_code.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "io/row_code_avx2.h"

namespace cellmill::io {
namespace {

constexpr std::uint32_t kEscape = 255, kMostEscapes = 0xFFFF;
constexpr std::uint8_t kFloatValues = 4;
constexpr std::size_t kHead = 8;
constexpr const char* kNoSuchValue = "a code beyond the table of values";
constexpr const char* kNoSuchColumn = "a column that does not exist";

/// Distinct values in the order of their first place, and every value's place among them.
class Table {
 public:
  Table() { slots_.fill(kFree); }
  /// False if there are more than 256.
  bool code(std::span<const float> values, std::vector<std::uint8_t>& codes) {
    codes.resize(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const int place = place_of(std::bit_cast<std::uint32_t>(values[i]));
      if (place < 0) return false;
      codes[i] = static_cast<std::uint8_t>(place);
    }
    return true;
  }
  std::span<const std::uint32_t> values() const { return {values_.data(), size_}; }

 private:
  static constexpr std::uint16_t kFree = 0xFFFF;
  int place_of(std::uint32_t bits) {
    for (std::uint32_t slot = bits * 0x9e3779b1u >> 22;; slot = (slot + 1) % slots_.size()) {
      const std::uint16_t place = slots_[slot];
      if (place == kFree) {
        if (size_ == values_.size()) return -1;
        slots_[slot] = static_cast<std::uint16_t>(size_);
        values_[size_] = bits;
        return static_cast<int>(size_++);
      }
      if (values_[place] == bits) return place;
    }
  }
  std::array<std::uint16_t, 1024> slots_;
  std::array<std::uint32_t, 256> values_;
  std::size_t size_ = 0;
};

struct Gaps {
  std::vector<std::uint8_t> bytes;
  std::vector<std::uint16_t> escapes;
};

/// False if a gap is too wide or there are too many escapes.
bool code_gaps(std::span<const std::int32_t> columns, Gaps& gaps) {
  gaps.bytes.resize(columns.size());
  gaps.escapes.clear();
  std::int64_t last = -1;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const std::int64_t gap = columns[i] - last - 1;
    last = columns[i];
    gaps.bytes[i] = static_cast<std::uint8_t>(std::min<std::int64_t>(gap, kEscape));
    if (gap < kEscape) continue;
    if (gap - kEscape > 0xFFFF || gaps.escapes.size() == kMostEscapes) return false;
    gaps.escapes.push_back(static_cast<std::uint16_t>(gap - kEscape));
  }
  return true;
}

std::uint8_t* put_bytes(std::uint8_t* to, const void* from, std::size_t bytes) {
  if (bytes > 0) std::memcpy(to, from, bytes);
  return to + bytes;
}

/// Bytes a column for which `columns` need least room.
std::uint8_t narrowest(std::span<const std::int32_t> columns, bool gaps_fit, const Gaps& gaps) {
  const std::size_t n = columns.size();
  if (gaps_fit && 2 * gaps.escapes.size() <= n) return 1;
  if (n == 0 || columns.back() <= 0xFFFF) return 2;
  return gaps_fit && n + 2 * gaps.escapes.size() <= 4 * n ? 1 : 4;
}

template <class T>
const char* wide_columns(const CodedRow& row, std::int64_t end, std::int32_t* columns) {
  std::int64_t last = -1;
  bool rising = true;
  for (std::uint32_t i = 0; i < row.entries; ++i) {
    const std::int64_t column = take<T>(row.columns + i * sizeof(T));
    rising &= column > last;
    last = column;
    columns[i] = static_cast<std::int32_t>(column);
  }
  if (!rising) return "columns do not rise";
  return last < end ? nullptr : kNoSuchColumn;
}

/// Where a run of gaps has come to.
struct GapState {
  std::uint32_t done = 0, used = 0;
  std::int64_t last = -1;
};

const char* plain_gaps(const CodedRow& row, std::uint32_t until, std::int64_t columns_end,
                       std::int32_t* columns, GapState& state) {
  for (; state.done < until; ++state.done) {
    std::int64_t gap = row.columns[state.done];
    if (gap == kEscape) {
      if (state.used == row.escapes) return "a gap without its escape";
      gap += take<std::uint16_t>(row.escape + 2 * state.used++);
    }
    state.last += gap + 1;
    if (state.last >= columns_end) return kNoSuchColumn;
    columns[state.done] = static_cast<std::int32_t>(state.last);
  }
  return nullptr;
}

const char* all_escapes_used(const CodedRow& row, const GapState& state) {
  return state.used == row.escapes ? nullptr : "an escape without its gap";
}

const char* plain_columns(const CodedRow& row, std::int64_t end, std::int32_t* columns) {
  if (row.column_bytes == 2) return wide_columns<std::uint16_t>(row, end, columns);
  if (row.column_bytes == 4) return wide_columns<std::uint32_t>(row, end, columns);
  GapState state;
  const char* const wrong = plain_gaps(row, row.entries, end, columns, state);
  return wrong != nullptr ? wrong : all_escapes_used(row, state);
}

const char* plain_values(const CodedRow& row, float* values) {
  if (row.table_size == 0) {
    put_bytes(reinterpret_cast<std::uint8_t*>(values), row.floats, 4 * std::size_t{row.entries});
    return nullptr;
  }
  for (std::uint32_t i = 0; i < row.entries; ++i) {
    if (row.codes[i] >= row.table_size) return kNoSuchValue;
    std::memcpy(values + i, row.floats + 4 * row.codes[i], 4);
  }
  return nullptr;
}

const char* fast_gaps(const CodedRow& row, std::int64_t end, std::int32_t* columns) {
  GapState state;
  while (state.done < row.entries) {
    auto last = static_cast<std::int32_t>(state.last);
    if (!avx2::decode_gaps(row.columns, row.entries, static_cast<std::int32_t>(end), columns,
                           state.done, last))
      return kNoSuchColumn;
    state.last = last;
    // the group with an escape, or what is left
    if (const char* wrong =
            plain_gaps(row, std::min(row.entries, state.done + 16), end, columns, state))
      return wrong;
  }
  return all_escapes_used(row, state);
}

const char* fast_row(const CodedRow& row, std::int64_t end, std::int32_t* columns, float* values) {
  if (row.table_size == 0) {
    plain_values(row, values);
  } else if (!avx2::look_up(row.codes, row.entries, row.floats, row.table_size, values)) {
    return kNoSuchValue;
  }
  return row.column_bytes == 1 && end <= 1 << 30 ? fast_gaps(row, end, columns)
                                                 : plain_columns(row, end, columns);
}

const auto kDecode = avx2::supported() ? fast_row : decode_row_plain;

}  // namespace

void encode_row(std::span<const std::int32_t> columns, std::span<const float> values,
                std::vector<std::uint8_t>& into) {
  thread_local std::vector<std::uint8_t> codes;
  thread_local Gaps gaps;
  const std::size_t n = columns.size();
  Table table;
  const bool coded = table.code(values, codes) && n + 4 * table.values().size() < 4 * n;
  const bool gaps_fit = code_gaps(columns, gaps);
  const std::uint8_t column_bytes = narrowest(columns, gaps_fit, gaps);
  const std::size_t escapes = column_bytes == 1 ? gaps.escapes.size() : 0;

  const std::size_t start = into.size();
  into.resize(start + kHead + (coded ? 4 * table.values().size() + n : 4 * n) + column_bytes * n +
              2 * escapes);
  std::uint8_t* to = into.data() + start;
  const auto entries = static_cast<std::uint32_t>(n);
  to = put_bytes(to, &entries, 4);
  *to++ = static_cast<std::uint8_t>(column_bytes / 2 | (coded ? 0 : kFloatValues));
  *to++ = static_cast<std::uint8_t>(coded ? table.values().size() - 1 : 0);
  const auto escapes16 = static_cast<std::uint16_t>(escapes);
  to = put_bytes(to, &escapes16, 2);
  if (coded) {
    to = put_bytes(to, table.values().data(), 4 * table.values().size());
    to = put_bytes(to, codes.data(), n);
  } else {
    to = put_bytes(to, values.data(), 4 * n);
  }
  if (column_bytes == 4) {
    put_bytes(to, columns.data(), 4 * n);
  } else if (column_bytes == 2) {
    for (std::size_t i = 0; i < n; ++i) {
      const auto column = static_cast<std::uint16_t>(columns[i]);
      to = put_bytes(to, &column, 2);
    }
  } else {
    to = put_bytes(to, gaps.bytes.data(), n);
    put_bytes(to, gaps.escapes.data(), 2 * escapes);
  }
}

const char* parse_row(std::span<const std::uint8_t> bytes, CodedRow& row) {
  if (bytes.size() < kHead) return "shorter than the head of a row";
  const std::uint8_t form = bytes[4];
  if ((form & 3) == 3 || form > 7) return "no known form of a row";
  row.entries = row_entries(bytes.data());
  row.column_bytes = static_cast<std::uint8_t>(1 << (form & 3));
  row.table_size = form & kFloatValues ? 0 : bytes[5] + 1u;
  row.escapes = take<std::uint16_t>(bytes.data() + 6);
  const std::uint64_t n = row.entries, floats = 4ull * row.floats_size();
  const std::uint64_t codes = row.table_size != 0 ? n : 0;
  if (kHead + floats + codes + row.column_bytes * n + 2ull * row.escapes != bytes.size())
    return "the parts of the row do not fill its bytes";
  row.floats = bytes.data() + kHead;
  row.codes = row.floats + floats;
  row.columns = row.codes + codes;
  row.escape = row.columns + row.column_bytes * n;
  return row.column_bytes != 1 && row.escapes != 0 ? "escapes without gaps" : nullptr;
}

const char* decode_row(const CodedRow& row, std::int64_t columns_end, std::int32_t* columns,
                       float* values) {
  return kDecode(row, columns_end, columns, values);
}

const char* decode_row_plain(const CodedRow& row, std::int64_t columns_end, std::int32_t* columns,
                             float* values) {
  const char* const wrong = plain_values(row, values);
  return wrong != nullptr ? wrong : plain_columns(row, columns_end, columns);
}

const char* row_decoder() { return kDecode == decode_row_plain ? "plain" : "avx2"; }

}  // namespace cellmill::io
