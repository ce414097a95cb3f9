#include "infer/run_history.h"

#include <catch2/catch.hpp>

#include "../expect.h"
#include "base/error.h"
#include "infer/run_page.h"
#include "io/files.h"

using namespace cellmill;
using Catch::Contains;

namespace {

struct Run {
  Scratch scratch;
  std::filesystem::path run = scratch.folder / "run <1>";
  Run() {
    std::filesystem::create_directories(run / "log");
    write("config.yaml", "train: {epochs: 1}\n");
  }
  void write(const std::string& name, const std::string& text) const {
    io::write_text_atomically(run / name, text);
  }
};

}  // namespace

CATCH_TEST_CASE("a run folder's course is read, damaged lines are left out", "[run history]") {
  const Run r;
  r.write("metrics.jsonl",
          "{\"step\":2,\"epoch\":0,\"split\":\"train\",\"loss/generator\":4.5}\n"
          "{\"step\":4,\"epo\n"
          "{\"step\":4,\"epoch\":1,\"split\":\"train\",\"loss/generator\":3.5}\n");
  r.write("influence.jsonl", "{\"step\":4,\"heads\":{\"base\":[1,0.5,2],\"sex\":[0.1,0,0.4]}}\n");
  r.write("sessions.jsonl", "{\"step\":0,\"ranks\":2}\n");
  r.write("failure.json", "{\"rank\":1,\"message\":\"lost\"}");
  for (const char* rank : {"0", "1", "2"})
    r.write(std::string("log/rank-") + rank + ".log",
            std::string("2026-01-01T00:00:00.000 warning values look like counts\n"
                        "2026-01-01T00:00:01.000 info quiet\n") +
                (rank[0] == '0'
                     ? "2026-01-01T00:00:02.000 warning also ranks 1, 2: values look like counts\n"
                     : ""));
  const auto h = infer::read_history(r.run);
  CATCH_CHECK(h.curves.at("loss/generator").at("train") == infer::Curve{{2, 4.5}, {4, 3.5}});
  CATCH_CHECK(h.last_influence.size() == 2);
  CATCH_CHECK(h.last_influence[0].second.high == 2);
  CATCH_CHECK(h.sessions.size() == 1);
  CATCH_CHECK(h.failure["message"] == "lost");
  CATCH_REQUIRE(h.logged.size() == 1);
  CATCH_CHECK(h.logged[0].text == "values look like counts");
  CATCH_CHECK(h.logged[0].ranks == std::vector<int>{0, 1, 2});
  CATCH_CHECK(h.logged[0].count == 3);
  const auto page = infer::html_of({h, {}, "no <data>", "cellmill"});
  CATCH_CHECK_THAT(page, Catch::StartsWith("<!DOCTYPE html>\n") && Contains("run &lt;1&gt;") &&
                             Contains("no &lt;data&gt;") && Contains("values look like counts") &&
                             Contains("<td>0, 1, 2</td>") && Contains("lost"));
}

CATCH_TEST_CASE("an empty run makes a page, a folder without a run does not", "[run history]") {
  const Run r;
  const auto page = infer::html_of({infer::read_history(r.run), {}, "", ""});
  CATCH_CHECK_THAT(page, Contains("No failure, no warning.") && Contains("No start is recorded."));
  try {
    infer::read_history(r.scratch.folder);
    CATCH_FAIL("accepted");
  } catch (const DataError& error) {
    CATCH_CHECK(error.code() == Exit::kNoInput);
    CATCH_CHECK_THAT(error.what(), Contains("holds no run"));
  }
}
