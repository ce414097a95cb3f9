#include "io/csr_reader.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "expect.h"

using namespace cellmill;
using namespace cellmill::io;
using Catch::Contains;

namespace {

void check_against_whole(const std::string& path, bool by_range) {
  const CsrFile whole = read_csr(path);
  const CsrReader reader(path);
  CATCH_CHECK(reader.rows() == whole.rows);
  CATCH_CHECK(reader.columns() == whole.columns);
  CATCH_REQUIRE(reader.by_range() == by_range);
  const auto indptr = reader.read_indptr();
  CATCH_REQUIRE(indptr == whole.indptr);
  for (std::int64_t begin = 0; begin < whole.rows; ++begin)
    for (std::int64_t end = begin + 1; end <= whole.rows; ++end) {
      if (!by_range && (begin > 0 || end < whole.rows)) continue;
      UnsetVector<std::int32_t> indices = {77};
      UnsetVector<float> values = {77};
      const auto first = indptr[begin], last = indptr[end];
      const auto bytes = reader.append_entries(first, last, indices, values);
      reader.expect_entries(first, last);
      if (by_range && last > first) CATCH_CHECK(bytes >= 8 * (last - first));
      CATCH_REQUIRE(indices.size() == static_cast<std::size_t>(1 + last - first));
      CATCH_REQUIRE(indices[0] == 77);
      CATCH_REQUIRE(std::equal(indices.begin() + 1, indices.end(), whole.indices.begin() + first));
      CATCH_REQUIRE(std::equal(values.begin() + 1, values.end(), whole.values.begin() + first));
    }
}

CsrFile matrix() { return {4, 9, {0, 2, 2, 5, 6}, {1, 8, 0, 3, 4, 2}, {1, 2, 0.5, 3, 7, 9}}; }

}  // namespace

CATCH_TEST_CASE("ranges of stored, converted and deflated matrices are those of the whole",
                "[npz]") {
  Scratch scratch;
  write_csr(scratch / "stored.npz", matrix(), false);
  write_csr(scratch / "deflated.npz", matrix(), true);
  check_against_whole(scratch / "stored.npz", true);
  check_against_whole(scratch / "deflated.npz", false);
  for (const char* name : {"f4.npz", "f8_stored.npz", "i4_array.npz", "wide.npz"})
    check_against_whole(fixture(name), CsrReader(fixture(name)).by_range());
  CATCH_CHECK(CsrReader(fixture("f8_stored.npz")).by_range());
}

CATCH_TEST_CASE("a damaged stored matrix is found where it is read whole", "[npz]") {
  Scratch scratch;
  const std::string path = scratch / "m.npz";
  write_csr(path, matrix(), false);
  const ZipFile zip(path);
  const auto at = zip.data_offset(*zip.find("data.npy")) + 128;
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(at));
  file.put('\x42');
  file.close();
  const CsrReader reader(path);
  UnsetVector<std::int32_t> indices;
  UnsetVector<float> values;
  CATCH_CHECK_THAT(error_of([&] { reader.append_entries(0, 6, indices, values); }),
                   Contains("m.npz: member data.npy: is damaged: its CRC-32 differs"));
  std::filesystem::resize_file(path, at + 8);
  values.clear();
  CATCH_CHECK_THAT(error_of([&] { reader.append_entries(2, 6, indices, values); }),
                   Contains("m.npz: member data.npy: is truncated: it shrank while it was read"));
  CATCH_CHECK_THAT(error_of([&] { CsrReader again(path); }), Contains("is truncated"));
}
