#include "train/recorder.h"

#include <catch2/catch.hpp>
#include <numeric>
#include <sstream>

#include "../expect.h"
#include "../io/file_limit.h"
#include "base/error.h"
#include "io/sealed.h"

using namespace cellmill;
using train::Recorder;
namespace fs = std::filesystem;

namespace {

/// Steps of the file's lines, each of which must be whole.
std::vector<std::int64_t> steps(const fs::path& file) {
  std::vector<std::int64_t> found;
  std::istringstream lines(io::read_text(file));
  for (std::string line; std::getline(lines, line);) {
    CATCH_CHECK(io::seal_of_json(line) == io::Seal::kHolds);
    found.push_back(io::Json::parse(line).at("step").get<std::int64_t>());
  }
  return found;
}

void points(Recorder& recorder, std::int64_t first, std::int64_t last) {
  for (std::int64_t step = first; step <= last; ++step)
    recorder.point(step, 0, "train", {{"loss", 1.0 / step}}, {});
}

std::vector<std::int64_t> up_to(std::int64_t last) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(last));
  std::iota(all.begin(), all.end(), 1);
  return all;
}

}  // namespace

CATCH_TEST_CASE("a point is a line, and a resumed run writes each step once", "[recorder]") {
  const Scratch scratch;
  {
    Recorder recorder(scratch.folder, 0);
    points(recorder, 1, 30);
    recorder.close(true);
  }
  Recorder resumed(scratch.folder, 21);
  points(resumed, 21, 40);
  resumed.flush();
  CATCH_CHECK(steps(scratch.folder / "metrics.jsonl") == up_to(40));
  resumed.close(true);
}

CATCH_TEST_CASE("points that the system refuses are kept and written later", "[recorder]") {
  const Scratch scratch;
  Recorder recorder(scratch.folder, 0);
  points(recorder, 1, 10);
  recorder.flush();
  {
    const io::FileLimit full(fs::file_size(scratch.folder / "metrics.jsonl") + 20);
    points(recorder, 11, 20);
    CATCH_CHECK_THROWS_AS(recorder.flush(), DataError);
  }
  points(recorder, 21, 30);
  recorder.flush();
  CATCH_CHECK(steps(scratch.folder / "metrics.jsonl") == up_to(30));
  recorder.close(true);
}
