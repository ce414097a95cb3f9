#include "config/command_line.h"

#include <catch2/catch.hpp>

using namespace cellmill;

namespace {

using Words = std::vector<std::string>;

struct Ask {
  std::string folder, output;
  Words config, inputs;
  std::int64_t cells = 10;
  double scale = 1;
  bool force = false;

  config::CommandLine line() {
    config::CommandLine line("cellmill ask", "Asks a model.");
    line.positional("FOLDER", &folder, "a checkpoint");
    line.positional("INPUT", &inputs, "files of cells", config::Need::kOptional);
    line.option("output", &output, "file to write", config::Need::kRequired);
    line.option("config", &config, "run files");
    line.option("cells", &cells, "cells at once", config::Need::kOptional, config::at_least(1));
    line.option("scale", &scale, "of the shift");
    line.option("force", &force, "overwrite");
    return line;
  }
};

std::string refusal(const Words& arguments) {
  Ask ask;
  try {
    ask.line().parse(arguments);
  } catch (const UsageError& e) {
    return e.code() == Exit::kUsage ? e.text() : "wrong exit code";
  }
  return "accepted";
}

}  // namespace

CATCH_TEST_CASE("options and arguments are parsed", "[command_line]") {
  Ask ask;
  CATCH_REQUIRE(ask.line().parse({"run/a", "x.h5ad", "y.h5ad", "--output=o.h5ad", "--config", "a",
                                  "b", "--config", "c", "--force", "--scale", "-1.5"}));
  CATCH_CHECK(ask.folder == "run/a");
  CATCH_CHECK(ask.inputs == Words{"x.h5ad", "y.h5ad"});
  CATCH_CHECK(ask.output == "o.h5ad");
  CATCH_CHECK(ask.config == Words{"a", "b", "c"});
  CATCH_CHECK(ask.cells == 10);
  CATCH_CHECK(ask.scale == -1.5);
  CATCH_CHECK(ask.force);
}

CATCH_TEST_CASE("after -- everything is an argument", "[command_line]") {
  Ask ask;
  CATCH_REQUIRE(ask.line().parse({"--output", "o", "--", "--odd"}));
  CATCH_CHECK(ask.folder == "--odd");
}

CATCH_TEST_CASE("each mistake has its text and exit code 64", "[command_line]") {
  const std::string see = "\n  hint: see cellmill ask --help";
  CATCH_CHECK(refusal({"d", "--outptu", "o"}) ==
              "cellmill ask: unknown option --outptu\n  hint: did you mean --output?");
  CATCH_CHECK(refusal({"d", "--out", "o"}) ==
              "cellmill ask: unknown option --out\n  hint: did you mean --output?");
  CATCH_CHECK(refusal({"d"}) == "cellmill ask: --output is missing (file to write)" + see);
  CATCH_CHECK(refusal({"--output", "o"}) == "cellmill ask: FOLDER is missing (a checkpoint)" + see);
  CATCH_CHECK(refusal({"d", "--output"}) == "cellmill ask: --output needs a value" + see);
  CATCH_CHECK(refusal({"d", "--output", "--force"}) ==
              "cellmill ask: --output needs a value; found --force" + see);
  CATCH_CHECK(refusal({"d", "--output", "o", "--force=1"}) ==
              "cellmill ask: --force takes no value" + see);
  CATCH_CHECK(refusal({"d", "--output", "o", "--output", "p"}) ==
              "cellmill ask: --output is given twice" + see);
  CATCH_CHECK(refusal({"d", "--output", "o", "--cells", "many"}) ==
              "cellmill ask: --cells: expected a whole number; found many" + see);
  CATCH_CHECK(refusal({"d", "--output", "o", "--cells", "0"}) ==
              "cellmill ask: --cells: expected at least 1; found 0" + see);
  CATCH_CHECK(refusal({"-o", "o"}) ==
              "cellmill ask: unknown option -o\n  hint: options are long: --output, --config, "
              "--cells, --scale, --force, --help");
}

CATCH_TEST_CASE("an argument too many is named", "[command_line]") {
  std::string folder;
  config::CommandLine line("cellmill inspect", "");
  line.positional("FOLDER", &folder, "");
  try {
    line.parse({"a", "b"});
    CATCH_FAIL("accepted");
  } catch (const UsageError& e) {
    CATCH_CHECK(e.text() ==
                "cellmill inspect: unexpected argument b\n  hint: see cellmill inspect --help");
  }
}

CATCH_TEST_CASE("help", "[command_line]") {
  Ask ask;
  CATCH_CHECK_FALSE(ask.line().parse({"--nonsense", "--help"}));
  CATCH_CHECK_FALSE(ask.line().parse({"-h"}));
  CATCH_CHECK(ask.line().help() == R"(usage: cellmill ask FOLDER [INPUT...] --output TEXT [options]
Asks a model.

  FOLDER            a checkpoint
  INPUT             files of cells
  --output TEXT     file to write
  --config TEXT...  run files
  --cells N         cells at once (at least 1; default 10)
  --scale X         of the shift (default 1)
  --force           overwrite
  --help            this text
)");
}
