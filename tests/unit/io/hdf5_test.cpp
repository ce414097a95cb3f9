#include "io/hdf5.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <numeric>
#include <thread>

#include "expect.h"
#include "io/files.h"

using namespace cellmill;
using namespace cellmill::io;
using Catch::Contains;
using Ints = std::vector<std::int64_t>;
using Texts = std::vector<std::string>;

CATCH_TEST_CASE("h5py's numbers are read as the type that is asked", "[hdf5]") {
  H5File file = H5File::open(fixture("h5py.h5"));
  for (const char* name : {"i1", "u1", "u2", "i4", "u4", "i8", "f2", "f4", "f8"}) {
    std::string path = std::string("/numbers/") + name;
    CATCH_CAPTURE(path);
    CATCH_CHECK(file.read<std::int32_t>(path) == std::vector<std::int32_t>{1, 2, 3});
    CATCH_CHECK(file.read<std::int64_t>(path) == Ints{1, 2, 3});
    CATCH_CHECK(file.read<std::uint8_t>(path) == std::vector<std::uint8_t>{1, 2, 3});
    CATCH_CHECK(file.read<float>(path) == std::vector<float>{1, 2, 3});
    CATCH_CHECK(file.read<double>(path) == std::vector<double>{1, 2, 3});
  }
  CATCH_CHECK(file.read<std::uint8_t>("/numbers/bool") == std::vector<std::uint8_t>{1, 0, 1});
  CATCH_CHECK(file.read<std::int32_t>("/numbers/bool") == std::vector<std::int32_t>{1, 0, 1});
  CATCH_CHECK(file.read<double>("/numbers/scalar") == std::vector<double>{2.5});
  CATCH_CHECK(file.read<float>("/numbers/empty").empty());
  std::vector<float> odd = file.read<float>("/numbers/not_a_number");
  CATCH_CHECK((std::isnan(odd[0]) && std::isinf(odd[1])));
}

CATCH_TEST_CASE("what an integer cannot hold is refused, not clipped", "[hdf5]") {
  H5File file = H5File::open(fixture("h5py.h5"));
  CATCH_CHECK(file.read<std::int64_t>("/numbers/big") == Ints{1, std::int64_t{1} << 40});
  CATCH_CHECK_THAT(
      error_of([&] { file.read<std::int32_t>("/numbers/big"); }),
      Contains("65 ") && Contains("h5py.h5: /numbers/big: holds a value that is no int32"));
  for (const char* path : {"/numbers/fraction", "/numbers/not_a_number"})
    CATCH_CHECK_THAT(error_of([&] { file.read<std::int64_t>(path); }),
                     Contains("holds a value that is no int64"));
  CATCH_CHECK_THAT(error_of([&] { file.read<float>("/text/variable"); }),
                   Contains("/text/variable: holds no numbers; expected float32; found text"));
  CATCH_CHECK_THAT(error_of([&] { file.read_strings("/numbers/i4"); }),
                   Contains("/numbers/i4: is no text; expected text; found numbers"));
}

CATCH_TEST_CASE("shapes, types and names are those of the file", "[hdf5]") {
  H5File file = H5File::open(fixture("h5py.h5"));
  CATCH_CHECK(file.shape("/numbers/table") == Ints{200, 3});
  CATCH_CHECK(file.shape("/numbers/scalar").empty());
  CATCH_CHECK(file.type("/numbers/i1") == H5Type::kInt32);
  CATCH_CHECK(file.type("/numbers/u1") == H5Type::kUint8);
  CATCH_CHECK(file.type("/numbers/u4") == H5Type::kInt64);
  CATCH_CHECK(file.type("/numbers/f2") == H5Type::kFloat32);
  CATCH_CHECK(file.type("/numbers/f8") == H5Type::kFloat64);
  CATCH_CHECK(file.type("/numbers/bool") == H5Type::kInt32);
  CATCH_CHECK(file.type("/text/ascii") == H5Type::kString);
  CATCH_CHECK(file.children("/text") == Texts{"ascii", "fixed_utf8", "scalar", "variable"});
  CATCH_CHECK((file.exists("/") && file.exists("/numbers") && file.exists("/numbers/i1")));
  CATCH_CHECK((!file.exists("/numbers/none") && !file.exists("/none/none") &&
               !file.exists("/soft") && !file.exists("/numbers/i1/below")));
  CATCH_CHECK((file.is_group("/") && file.is_group("/text") && !file.is_group("/numbers/i1") &&
               !file.is_group("/none")));
}

CATCH_TEST_CASE("ranges are rows of a compressed table", "[hdf5]") {
  H5File file = H5File::open(fixture("h5py.h5"));
  std::vector<float> rows = file.read_range<float>("/numbers/table", 15, 18);
  CATCH_CHECK(rows == std::vector<float>{45, 46, 47, 48, 49, 50, 51, 52, 53});
  CATCH_CHECK(file.read_range<std::int32_t>("/numbers/i8", 1, 3) ==
              std::vector<std::int32_t>{2, 3});
  CATCH_CHECK(file.read_range<float>("/numbers/table", 200, 200).empty());
  CATCH_CHECK_THAT(error_of([&] { file.read_range<float>("/numbers/table", 199, 201); }),
                   Contains("/numbers/table: has no such range; expected 199 to 201; found 200 "
                            "rows"));
}

CATCH_TEST_CASE("text is read in all three forms", "[hdf5]") {
  H5File file = H5File::open(fixture("h5py.h5"));
  CATCH_CHECK(file.read_strings("/text/variable") == Texts{"alpha", "β cell", ""});
  CATCH_CHECK(file.read_strings("/text/ascii") == Texts{"one", "three"});
  CATCH_CHECK(file.read_strings("/text/fixed_utf8") == Texts{"né", "x"});
  CATCH_CHECK(file.read_string("/text/scalar") == "just one");
  CATCH_CHECK_THAT(error_of([&] { file.read_string("/text/ascii"); }),
                   Contains("/text/ascii: is no single text; expected one text; found 2"));
}

CATCH_TEST_CASE("h5py's attributes are read", "[hdf5]") {
  H5File file = H5File::open(fixture("h5py.h5"));
  CATCH_CHECK(file.string_attribute("/", "encoding-type") == "anndata");
  CATCH_CHECK(file.string_attribute("/", "bytes") == "fixed");
  CATCH_CHECK(file.ints_attribute("/", "shape") == Ints{5, 7});
  CATCH_CHECK(file.int_attribute("/", "ordered") == 1);
  CATCH_CHECK(file.int_attribute("/", "count") == -3);
  CATCH_CHECK(file.strings_attribute("/", "names") == Texts{"a", "bc"});
  CATCH_CHECK(file.strings_attribute("/", "nothing").empty());
  CATCH_CHECK((file.has_attribute("/", "count") && !file.has_attribute("/", "none") &&
               !file.has_attribute("/none", "count")));
  CATCH_CHECK_THAT(error_of([&] { file.int_attribute("/", "none"); }),
                   Contains("65 ") && Contains("/ attribute none: cannot open: "));
  CATCH_CHECK_THAT(error_of([&] { file.int_attribute("/", "names"); }),
                   Contains("/ attribute names: holds no integers"));
}

CATCH_TEST_CASE("what is written is read back", "[hdf5]") {
  Scratch scratch;
  std::vector<double> reals{0.1, -1e300, 5e-324};
  std::vector<float> table(300'000);
  std::iota(table.begin(), table.end(), 0.f);
  std::vector<std::int32_t> none;
  {
    H5File file = H5File::create(scratch / "a.h5");
    file.write<double>("/deep/er/reals", reals, {3});
    file.write<float>("/table", table, {1000, 300}, true);
    file.write<std::int32_t>("/none", none, {0, 4}, true);
    file.write_strings("/texts", {"β", "", "long enough to be no small string at all"});
    file.write_strings("/no_texts", {});
    file.write_string("/one", "text: yes\n");
    file.write_bools("/flags", std::vector<std::uint8_t>{1, 0});
    file.make_group("/g/h");
    file.make_group("/g/h");
    file.set_attribute("/g", "text", std::string("old"));
    file.set_attribute("/g", "text", std::string("new"));
    file.set_attribute("/g/h", "numbers", Ints{1, 2});
    file.set_attribute("/g/h", "order", Texts{"b", "a"});
    file.set_attribute("/g/h", "no_order", Texts{});
    file.set_bool_attribute("/", "ordered", false);
    file.flush();
    file.close();
    file.close();
  }
  H5File file = H5File::open(scratch / "a.h5");
  CATCH_CHECK(file.read<double>("/deep/er/reals") == reals);
  CATCH_CHECK(file.read<float>("/table") == table);
  CATCH_CHECK(file.shape("/none") == Ints{0, 4});
  CATCH_CHECK(file.read_strings("/texts") ==
              Texts{"β", "", "long enough to be no small string at all"});
  CATCH_CHECK(file.read_strings("/no_texts").empty());
  CATCH_CHECK(file.read_string("/one") == "text: yes\n");
  CATCH_CHECK(file.read<std::uint8_t>("/flags") == std::vector<std::uint8_t>{1, 0});
  CATCH_CHECK(file.string_attribute("/g", "text") == "new");
  CATCH_CHECK(file.ints_attribute("/g/h", "numbers") == Ints{1, 2});
  CATCH_CHECK(file.strings_attribute("/g/h", "order") == Texts{"b", "a"});
  CATCH_CHECK(file.strings_attribute("/g/h", "no_order").empty());
  CATCH_CHECK(file.int_attribute("/", "ordered") == 0);
  CATCH_CHECK(fs::file_size(scratch / "a.h5") < table.size() * sizeof(float) / 2);
}

CATCH_TEST_CASE("files that cannot be opened say why", "[hdf5]") {
  Scratch scratch;
  CATCH_CHECK_THAT(error_of([&] { H5File::open(scratch / "none.h5"); }),
                   Contains("66 ") &&
                       Contains("none.h5: cannot read: No such file or directory\n  hint: check"));
  write_text_atomically(scratch / "text.h5", "cell,gene\n");
  CATCH_CHECK_THAT(error_of([&] { H5File::open(scratch / "text.h5"); }),
                   Contains("65 ") && Contains("text.h5: is not an HDF5 file\n  hint: "));
  std::string whole = read_text(fixture("h5py.h5"));
  write_text_atomically(scratch / "cut.h5", whole.substr(0, whole.size() / 2));
  CATCH_CHECK_THAT(error_of([&] { H5File::open(scratch / "cut.h5"); }),
                   Contains("65 ") && Contains("cut.h5: cannot open as HDF5: truncated file"));
  CATCH_CHECK_THAT(error_of([&] { H5File::create(scratch / "no/folder.h5"); }),
                   Contains("74 ") && Contains("cannot create: No such file or directory"));
  H5File file = H5File::open(fixture("h5py.h5"));
  CATCH_CHECK_THAT(error_of([&] { file.read<float>("/obs/none"); }),
                   Contains("65 ") && Contains("h5py.h5: /obs/none: cannot open: "));
  CATCH_CHECK_THAT(error_of([&] { file.children("/none"); }), Contains("/none: cannot open: "));
}

CATCH_TEST_CASE("threads may share the library", "[hdf5]") {
  std::vector<int> bad(4, 0);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&bad, t] {
      for (int i = 0; i < 25; ++i) {
        H5File file = H5File::open(fixture("h5py.h5"));
        bad[t] += file.read<float>("/numbers/table").size() != 600;
        bad[t] += error_of([&] { file.read<float>("/none"); }) == "no error";
      }
    });
  for (std::thread& thread : threads) thread.join();
  CATCH_CHECK(bad == std::vector<int>(4, 0));
}

CATCH_TEST_CASE("a table is filled row range by row range", "[hdf5]") {
  Scratch scratch;
  std::string path = scratch / "rows.h5";
  H5File file = H5File::create(path);
  file.reserve<float>("/group/table", {5, 2});
  file.write_range<float>("/group/table", 3, std::vector<float>{7, 8, 9, 10});
  file.write_range<float>("/group/table", 0, std::vector<float>{1, 2});
  CATCH_CHECK_THROWS_WITH(
      file.write_range<float>("/group/table", 4, std::vector<float>{1, 2, 3, 4}),
      "/group/table: 4 values from row 4 are no rows of it");
  CATCH_CHECK_THROWS_WITH(file.write_range<float>("/group/table", 0, std::vector<float>{1, 2, 3}),
                          "/group/table: 3 values from row 0 are no rows of it");
  file.close();
  CATCH_CHECK(H5File::open(path).read<float>("/group/table") ==
              std::vector<float>{1, 2, 0, 0, 0, 0, 7, 8, 9, 10});
}
