#include "io/hdf5_elements.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <numeric>
#include <thread>

#include "expect.h"

using namespace cellmill;
using namespace cellmill::io;
using Catch::Contains;

namespace {

std::vector<std::int32_t> numbers(std::int64_t count) {
  std::vector<std::int32_t> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<std::int32_t>(i * 7919 % 60013);
  return values;
}

/// Does every range come as the library gives it?
template <class T>
void check_ranges(const H5File& file, const std::string& dataset, bool direct) {
  const auto whole = file.read<T>(dataset);
  const H5Elements<T> elements(file, dataset);
  CATCH_CHECK(elements.direct() == direct);
  CATCH_REQUIRE(elements.size() == static_cast<std::int64_t>(whole.size()));
  const std::int64_t size = elements.size();
  for (std::int64_t begin = 0; begin <= size; begin += 1 + size / 7)
    for (std::int64_t end = begin; end <= size; end += 1 + size / 5) {
      UnsetVector<T> part = {T{5}};
      const std::int64_t bytes = elements.append(begin, end, part);
      elements.expect(begin, end);
      CATCH_CHECK(bytes >= 0);
      CATCH_REQUIRE(part.size() == static_cast<std::size_t>(end - begin) + 1);
      CATCH_REQUIRE(part[0] == T{5});
      CATCH_REQUIRE(std::equal(part.begin() + 1, part.end(), whole.begin() + begin));
    }
}

}  // namespace

CATCH_TEST_CASE("ranges of contiguous, compressed and converted data", "[hdf5]") {
  Scratch scratch;
  const auto ints = numbers(500000);
  const std::vector<std::int64_t> wide(ints.begin(), ints.end());
  const std::vector<float> floats(ints.begin(), ints.end());
  const std::vector<double> doubles(ints.begin(), ints.end());
  const std::int64_t n = 500000;
  {
    H5File file = H5File::create(scratch / "a.h5");
    for (bool compressed : {false, true}) {
      const std::string to = compressed ? "/packed/" : "/plain/";
      file.write<std::int32_t>(to + "i4", ints, {n}, compressed);
      file.write<std::int64_t>(to + "i8", wide, {n}, compressed);
      file.write<float>(to + "f4", floats, {n}, compressed);
      file.write<double>(to + "f8", doubles, {n}, compressed);
    }
    file.write<std::uint8_t>("/u1", std::vector<std::uint8_t>{1, 2, 3}, {3});
    file.close();
  }
  const H5File file = H5File::open(scratch / "a.h5");
  for (const std::string from : {"/plain/", "/packed/"}) {
    check_ranges<std::int32_t>(file, from + "i4", true);
    check_ranges<std::int32_t>(file, from + "i8", true);
    check_ranges<float>(file, from + "f4", true);
    check_ranges<float>(file, from + "f8", true);
    check_ranges<float>(file, from + "i4", false);
  }
  check_ranges<std::int32_t>(file, "/u1", false);

  const H5Elements<std::int32_t> shared(file, "/packed/i4");
  std::vector<int> wrong(4, 0);
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < wrong.size(); ++t)
      threads.emplace_back([&, t] {
        for (std::int64_t at = static_cast<std::int64_t>(t) * 1000; at + 3000 < n; at += 9973) {
          UnsetVector<std::int32_t> part;
          shared.append(at, at + 3000, part);
          wrong[t] += !std::equal(part.begin(), part.end(), ints.begin() + at);
        }
      });
  }
  CATCH_CHECK(wrong == std::vector<int>(4, 0));
}

CATCH_TEST_CASE("an int64 that is no int32 is refused", "[hdf5]") {
  Scratch scratch;
  {
    H5File file = H5File::create(scratch / "a.h5");
    file.write<std::int64_t>("/i", std::vector<std::int64_t>{1, std::int64_t{1} << 40}, {2});
    file.close();
  }
  const H5File file = H5File::open(scratch / "a.h5");
  const H5Elements<std::int32_t> elements(file, "/i");
  UnsetVector<std::int32_t> part;
  CATCH_CHECK(elements.append(0, 1, part) == 8);
  CATCH_CHECK_THAT(error_of([&] { elements.append(0, 2, part); }),
                   Contains("a.h5: /i: holds a value that is no int32; found 1099511627776"));
}
