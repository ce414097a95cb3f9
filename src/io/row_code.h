#pragma once
// A sparse row of floats in few bytes, without loss: a table of its distinct values (at most 256)
// and one byte a value, and columns as one-byte gaps with escapes. Where these do not fit or would
// be larger, values stand as float32 and columns as u16 or u32. No entropy coder: normalised counts
// have few distinct values, and this decodes ten times as fast as deflate.
//
// A coded row, little-endian, no padding:
//   u32 entries · u8 form (bits 0-1: 0 gaps, 1 u16, 2 u32; bit 2: float32 values) · u8 size of the
//   table - 1 · u16 escapes · float32 table[] or values[] · u8 code[] · u8 gap[] and u16 escape[],
//   or columns[]
// A gap counts the columns left out before an entry; 255 means 255 and the next escape more.
//
// Everything is thread-safe. Damage never leads outside of the bytes given: it is returned as a
// text that says what is wrong, for the caller to add the place.
#include <cstdint>
#include <span>
#include <vector>

#include "io/little_endian.h"

namespace cellmill::io {

/// Appends the coded row. `columns` rise strictly from at least 0. Bit patterns of values are kept.
void encode_row(std::span<const std::int32_t> columns, std::span<const float> values,
                std::vector<std::uint8_t>& into);

/// The parts of a coded row; they point into its bytes.
struct CodedRow {
  std::uint32_t entries = 0;
  std::uint32_t escapes = 0;
  std::uint32_t table_size = 0;   ///< 0: `floats` are the values themselves
  std::uint8_t column_bytes = 1;  ///< 1: gaps
  const std::uint8_t* floats = nullptr;
  const std::uint8_t* codes = nullptr;
  const std::uint8_t* columns = nullptr;
  const std::uint8_t* escape = nullptr;
  std::uint32_t floats_size() const { return table_size != 0 ? table_size : entries; }
};

/// Entries of a coded row, of which this is the beginning.
inline std::uint32_t row_entries(const std::uint8_t* row) { return take<std::uint32_t>(row); }
/// Takes a row apart. nullptr, or what is wrong: the parts must fill `bytes` exactly.
const char* parse_row(std::span<const std::uint8_t> bytes, CodedRow& row);

/// Writes `row.entries` columns and values. nullptr, or what is wrong: columns must rise strictly
/// below `columns_end`. With AVX2 where the processor has it.
const char* decode_row(const CodedRow& row, std::int64_t columns_end, std::int32_t* columns,
                       float* values);
/// The same without: what `decode_row` must equal.
const char* decode_row_plain(const CodedRow& row, std::int64_t columns_end, std::int32_t* columns,
                             float* values);
/// Which of the two `decode_row` is here: "avx2" or "plain".
const char* row_decoder();

}  // namespace cellmill::io
