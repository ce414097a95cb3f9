#include "config/show.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "sample.h"

using namespace cellmill;

CATCH_TEST_CASE("the effective file", "[show]") {
  CATCH_CHECK(config::dump(sample::Run{}) == R"(output: runs/one
data:
  path: ""
  fields: []
  chunks: []
  loader:
    prefetch_chunks: 2
    threads: 1
    order: mixed
train:
  seed: 0
  rate: 0.001
  resume: false
  steps: 100
  warmup: 0
  betas: [0.9, 0.999]
  rename: {}
)");
}

CATCH_TEST_CASE("the effective file with help", "[show]") {
  const std::string text = config::dump(sample::Run{}, config::Comments::kHelp);
  CATCH_CHECK(text.find("data:  # what to read\n  path: \"\"  # folder of chunks\n") !=
              std::string::npos);
  CATCH_CHECK(text.find("    prefetch_chunks: 2  # chunks decoded ahead; at least 1\n") !=
              std::string::npos);
  CATCH_CHECK(config::dump(sample::read(text)) == config::dump(sample::Run{}));
}

CATCH_TEST_CASE("a dump reads back to the same bits", "[show]") {
  sample::Run run;
  run.output = "a: \"b\" \\ # c\n\td\x01 é";
  run.data.fields = {"", "true", "null", "~", "5", "-1e3", "*x", "&y", "a b", "yes", "é", "/a/b-c"};
  run.data.chunks = {0, std::numeric_limits<std::int64_t>::max()};
  run.train.seed = std::numeric_limits<std::uint64_t>::max();
  run.train.betas = {0.1, std::nextafter(0.1, 1), 5e-324, std::nextafter(1.0, 0), 1.0 / 3};
  run.train.rate = std::numeric_limits<double>::infinity();
  run.train.rename = {{"a: b", "{c}"}, {"no", ""}};
  for (const auto comments : {config::Comments::kNone, config::Comments::kHelp}) {
    const auto back = sample::read(config::dump(run, comments));
    CATCH_CHECK(back.output == run.output);
    CATCH_CHECK(back.data.fields == run.data.fields);
    CATCH_CHECK(back.data.chunks == run.data.chunks);
    CATCH_CHECK(back.train.seed == run.train.seed);
    CATCH_CHECK(back.train.betas == run.train.betas);
    CATCH_CHECK(back.train.rate == run.train.rate);
    CATCH_CHECK(back.train.rename == run.train.rename);
  }
}

CATCH_TEST_CASE("explain tells where each value comes from", "[show]") {
  const std::string text = config::explain(
      sample::Run{}, {{{"a.yaml", "train:\n  steps: 7\n"}}, {"data.fields=[x, y]"}});
  CATCH_CHECK(
      text.starts_with("key                          value         from\n"
                       "output                       runs/one      default\n"));
  CATCH_CHECK(text.find("data.fields                  [x, y]        --set\n") != std::string::npos);
  CATCH_CHECK(text.find("train.steps                  7             a.yaml:2\n") !=
              std::string::npos);
}

CATCH_TEST_CASE("help lists every setting with default and range", "[show]") {
  const std::string text = config::help(sample::Run{});
  CATCH_CHECK(
      text.starts_with("  output=runs/one  run folder (not empty)\n\ndata: what to read\n"));
  CATCH_CHECK(
      text.find("\ndata.loader: reading ahead\n"
                "  data.loader.prefetch_chunks=2  chunks decoded ahead (at least 1)\n"
                "  data.loader.threads=1          background threads (between 1 and 64)\n") !=
      std::string::npos);
  CATCH_CHECK(
      text.find("  train.resume=false        go on from the newest checkpoint (true or false)\n") !=
      std::string::npos);
}

CATCH_TEST_CASE("keys for completion", "[show]") {
  const auto keys = config::keys(sample::Run{});
  CATCH_REQUIRE(keys.size() == 14);
  CATCH_CHECK(keys[0].key == "output");
  CATCH_CHECK(keys[6].key == "data.loader.order");
  CATCH_CHECK(keys[6].choices == std::vector<std::string>{"mixed", "chunk"});
  CATCH_CHECK(keys[9].choices == std::vector<std::string>{"true", "false"});
}
