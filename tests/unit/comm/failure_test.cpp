#include "comm/failure.h"

#include <ATen/Context.h>
#include <c10/util/Exception.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "comm/communicator.h"
#include "comm/solo_communicator.h"
#include "comm/world.h"

using namespace cellmill;
using comm::Failure;

namespace {

template <class E>
Failure described(const E& error) {
  return comm::describe(std::make_exception_ptr(error));
}

}  // namespace

CATCH_TEST_CASE("every kind of exception has a code and a first line", "[failure]") {
  const Failure data = described(DataError({"f.h5", "", "", ""}, "is short", "fetch it again"));
  CATCH_CHECK(data.code == Exit::kData);
  CATCH_CHECK(data.message == "f.h5: is short");
  CATCH_CHECK(data.hint == "fetch it again");
  CATCH_CHECK(data.host == comm::host_name());
  CATCH_CHECK(described(std::runtime_error("x")).code == Exit::kInternal);
  CATCH_CHECK(described(42).message == "an exception that is no std::exception");
  try {
    TORCH_CHECK(false, "sizes differ\nand more");
  } catch (...) {
    CATCH_CHECK(comm::describe(std::current_exception()).message == "sizes differ");
  }
}

CATCH_TEST_CASE("a failure crosses ranks whole", "[failure]") {
  Failure f;
  f.code = Exit::kIo;
  f.host = "node7";
  f.message = "line one\nline two";
  const Failure back = Failure::decode(f.encode());
  CATCH_CHECK(back.code == Exit::kIo);
  CATCH_CHECK(back.host == "node7");
  CATCH_CHECK(back.message == f.message);
  CATCH_CHECK(back.hint.empty());
}

CATCH_TEST_CASE("last words name the place only where there are several", "[failure]") {
  Failure f;
  f.message = "m";
  f.hint = "h";
  f.host = "n";
  f.phase = "opening data";
  f.rank = 3;
  CATCH_CHECK(comm::last_words(f) == "error: m\n  hint: h");
  f.size = 4;
  CATCH_CHECK(comm::last_words(f) ==
              "error: m\n  hint: h\n  at rank 3 of 4, host n, while opening data");
}

CATCH_TEST_CASE("failure.json is JSON whatever the message", "[failure]") {
  const auto folder =
      std::filesystem::temp_directory_path() / ("cellmill_failure_" + std::to_string(getpid()));
  std::filesystem::create_directory(folder);
  Failure f;
  f.rank = 1;
  f.message = "a \"b\" \\ \n \x01";
  comm::write_failure_file(folder / "failure.json", f);
  std::stringstream text;
  text << std::ifstream(folder / "failure.json").rdbuf();
  CATCH_CHECK_THAT(text.str(), Catch::Contains(R"("message": "a \"b\" \\ \n \u0001")"));
  CATCH_CHECK_THAT(text.str(),
                   Catch::Matches(R"([^]*"time": "\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"[^]*)"));
  CATCH_CHECK(std::distance(std::filesystem::directory_iterator(folder), {}) == 1);
  std::filesystem::remove_all(folder);
  comm::write_failure_file("/proc/none/failure.json", f);  // nowhere to write: silent
}

CATCH_TEST_CASE("alone, agree passes the error as it is", "[failure]") {
  comm::SoloCommunicator solo;
  CATCH_CHECK_THROWS_AS(comm::agree(solo, [] { throw UsageError("u"); }), UsageError);
}

CATCH_TEST_CASE("CUDA is refused by a build or a machine without it", "[failure]") {
  if (at::hasCUDA()) return;
  comm::World world;
  world.host_world = std::make_unique<comm::SoloCommunicator>();
  CATCH_CHECK_THROWS_WITH(
      comm::use_cuda(world),
      Catch::StartsWith("this program runs on the CPU alone: cellmill was built without CUDA") ||
          Catch::StartsWith("no CUDA device is visible"));
}
