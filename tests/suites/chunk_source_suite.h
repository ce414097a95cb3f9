#pragma once
// What every ChunkSource promises, checked on one: call it from the unit test of a source, on a
// source of at least one cell whose chunks are small.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <set>
#include <thread>

#include "base/error.h"
#include "data/chunk_source.h"

namespace cellmill::data {

inline void check_index(const ChunkSource& source) {
  std::int64_t cells = 0;
  std::set<std::string> names;
  CATCH_REQUIRE(!source.index().empty());
  for (std::size_t i = 0; i < source.index().size(); ++i) {
    const ChunkInfo& info = source.index()[i];
    CATCH_CHECK(info.id == static_cast<std::int64_t>(i));
    CATCH_CHECK(info.first_cell == cells);
    CATCH_CHECK(info.rows > 0);
    CATCH_CHECK(names.insert(info.name).second);
    cells += info.rows;
  }
}

inline void check_names(const Vocabulary& vocabulary) {
  CATCH_CHECK(!vocabulary.genes.empty());
  std::set<std::string> fields;
  for (const Field& field : vocabulary.fields) {
    CATCH_CHECK(fields.insert(field.name).second);
    CATCH_CHECK(!field.categories.empty());
    CATCH_CHECK(std::set<std::string>(field.categories.begin(), field.categories.end()).size() ==
                field.categories.size());
  }
}

inline void check_chunk(const Chunk& chunk, const ChunkInfo& info, const Vocabulary& vocabulary) {
  const auto fields = vocabulary.fields.size();
  CATCH_REQUIRE(chunk.id == info.id);
  CATCH_REQUIRE(chunk.rows == info.rows);
  CATCH_REQUIRE(chunk.genes == static_cast<std::int64_t>(vocabulary.genes.size()));
  CATCH_REQUIRE(static_cast<std::int64_t>(chunk.indptr.size()) == chunk.rows + 1);
  CATCH_REQUIRE(chunk.indptr.front() == 0);
  CATCH_REQUIRE(std::is_sorted(chunk.indptr.begin(), chunk.indptr.end()));
  CATCH_REQUIRE(static_cast<std::int64_t>(chunk.indices.size()) == chunk.indptr.back());
  CATCH_REQUIRE(chunk.values.size() == chunk.indices.size());
  for (std::int64_t r = 0; r < chunk.rows; ++r)
    for (auto k = chunk.indptr[r]; k < chunk.indptr[r + 1]; ++k) {
      const bool good = chunk.indices[k] >= 0 && chunk.indices[k] < chunk.genes &&
                        (k == chunk.indptr[r] || chunk.indices[k - 1] < chunk.indices[k]) &&
                        std::isfinite(chunk.values[k]) && chunk.values[k] >= 0;
      if (!good) CATCH_FAIL("row " << r << " breaks the promises of CSR");
    }
  CATCH_REQUIRE(chunk.labels.size() == static_cast<std::size_t>(chunk.rows) * fields);
  for (std::size_t i = 0; i < chunk.labels.size(); ++i)
    if (chunk.labels[i] < kMissing ||
        chunk.labels[i] >=
            static_cast<std::int32_t>(vocabulary.fields[i % fields].categories.size()))
      CATCH_FAIL("label " << i << " is out of range: " << chunk.labels[i]);
}

inline bool same(const Chunk& a, const Chunk& b) {
  return a.id == b.id && a.rows == b.rows && a.genes == b.genes && a.indptr == b.indptr &&
         a.indices == b.indices && a.values == b.values && a.labels == b.labels;
}

/// Ranges of every length, appended to rows of another chunk, are those of the whole chunk.
inline void check_ranges(const ChunkSource& source, const std::vector<Chunk>& chunks) {
  Chunk rows, expected;
  for (const Chunk& chunk : chunks)
    for (std::int64_t begin = 0; begin <= chunk.rows; begin += 1 + chunk.rows / 5)
      for (std::int64_t end = begin; end <= chunk.rows; end += 1 + chunk.rows / 3) {
        for (Chunk* both : {&rows, &expected}) both->clear();
        source.read(chunks.back().id, 0, 1, rows);
        expected.append(chunks.back(), 0, 1);
        const std::int64_t bytes = source.read(chunk.id, begin, end, rows);
        expected.append(chunk, begin, end);
        expected.genes = rows.genes;
        CATCH_CHECK(bytes >= 0);
        if (!same(rows, expected))
          CATCH_FAIL("rows " << begin << " to " << end << " of chunk " << chunk.id);
        source.expect(chunk.id, begin, end);
      }
  CATCH_CHECK_THROWS_AS(source.read(0, 0, chunks[0].rows + 1, rows), InternalError);
  CATCH_CHECK_THROWS_AS(source.read(0, -1, 0, rows), InternalError);
}

/// Rows of a chunk that a loader might want: all, some of each block, only the last.
inline std::vector<std::vector<std::int32_t>> choices_of(const Chunk& chunk) {
  std::vector<std::vector<std::int32_t>> choices(4);
  for (std::int32_t row = 0; row < chunk.rows; ++row) {
    choices[0].push_back(row);
    if (row % 7 < 5) choices[1].push_back(row);
    if (row % 41 == 3) choices[2].push_back(row);
  }
  choices[3].push_back(static_cast<std::int32_t>(chunk.rows) - 1);
  return choices;
}

/// Rows that a loader holds put into a batch what is in the chunks, whichever way.
inline void check_held(const ChunkSource& source, const std::vector<Chunk>& chunks) {
  const auto fields = static_cast<std::int64_t>(source.vocabulary().fields.size());
  const auto held = source.hold();
  for (const Chunk& chunk : chunks)
    for (const auto& wanted : choices_of(chunk)) {
      held->clear();
      held->read(chunks.back().id, std::vector<std::int32_t>{0});
      held->read(chunk.id, wanted);
      CATCH_REQUIRE(held->size() == static_cast<std::int64_t>(wanted.size()) + 1);
      CATCH_REQUIRE(held->bytes() > 0);
      for (std::size_t i = 0; i < 2 * wanted.size(); ++i) {
        const auto row = static_cast<std::int64_t>(i / 2);
        const auto begin = chunk.indptr[wanted[row]], n = chunk.indptr[wanted[row] + 1] - begin;
        CATCH_REQUIRE(held->entries(row + 1) == n);
        std::vector<std::int32_t> columns(n + 1, -7);
        std::vector<float> values(n + 1, -7);
        std::vector<std::int64_t> labels(fields + 1, -7);
        held->put(row + 1, {columns.data(), values.data(), labels.data(), i % 2 == 1});
        const bool good =
            std::equal(columns.begin(), columns.end() - 1, chunk.indices.begin() + begin) &&
            std::equal(values.begin(), values.end() - 1, chunk.values.begin() + begin) &&
            std::equal(labels.begin(), labels.end() - 1,
                       chunk.labels.begin() + wanted[row] * fields) &&
            columns.back() == -7 && values.back() == -7 && labels.back() == -7;
        if (!good) CATCH_FAIL("row " << wanted[row] << " of chunk " << chunk.id);
      }
    }
}

inline void check_source(const ChunkSource& source) {
  check_index(source);
  check_names(source.vocabulary());
  std::vector<Chunk> chunks;
  for (const ChunkInfo& info : source.index()) {
    chunks.push_back(source.load(info.id));
    check_chunk(chunks.back(), info, source.vocabulary());
  }
  check_ranges(source, chunks);
  check_held(source, chunks);
  // four threads load every chunk, each in another order
  std::vector<int> differing(4, 0);
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < differing.size(); ++t)
      threads.emplace_back([&, t] {
        for (std::size_t i = 0; i < chunks.size(); ++i) {
          const auto id =
              static_cast<std::int64_t>((i * (t % 2 ? 1 : chunks.size() - 1) + t) % chunks.size());
          differing[t] += !same(source.load(id), chunks[id]);
        }
      });
  }
  CATCH_CHECK(differing == std::vector<int>(4, 0));
}

}  // namespace cellmill::data
