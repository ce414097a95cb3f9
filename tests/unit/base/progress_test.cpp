#include "base/progress.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/log.h"

using namespace cellmill;

CATCH_TEST_CASE("durations", "[progress]") {
  CATCH_CHECK(duration_text(0) == "0:00");
  CATCH_CHECK(duration_text(7.4) == "0:07");
  CATCH_CHECK(duration_text(250) == "4:10");
  CATCH_CHECK(duration_text(3599.6) == "1:00:00");
  CATCH_CHECK(duration_text(3723) == "1:02:03");
  CATCH_CHECK(duration_text(2 * 86400 + 3 * 3600) == "2 d 3:00:00");
}

CATCH_TEST_CASE("rates have three digits", "[progress]") {
  CATCH_CHECK(rate_text(0.012345) == "0.0123");
  CATCH_CHECK(rate_text(35.24) == "35.2");
  CATCH_CHECK(rate_text(120432.7) == "120433");
}

CATCH_TEST_CASE("a line says how far, how fast and how long", "[progress]") {
  CATCH_CHECK(progress_line({"training", "steps", "loss 0.53", 1200, 10000, 35.2}) ==
              "training: 1200 of 10000 steps (12%), 35.2 steps/s, 4:10 left, loss 0.53");
  CATCH_CHECK(progress_line({"reading", "cells", "", 10, 0, 2}) == "reading: 10 cells, 2 cells/s");
  CATCH_CHECK(progress_line({"reading", "cells", "", 0, 5, 0}) == "reading: 0 of 5 cells (0%)");
  CATCH_CHECK(progress_line({"reading", "cells", "", 5, 5, 2}) ==
              "reading: 5 of 5 cells (100%), 2 cells/s");
}

CATCH_TEST_CASE("the bar fills, and is cut to the terminal", "[progress]") {
  const ProgressView view{"training", "steps", "loss 0.53", 1250, 2500, 125};
  CATCH_CHECK(progress_bar(view, 200) ==
              "training [##########          ] 50% 1250/2500 steps, 125/s, 0:10 left, loss 0.53");
  CATCH_CHECK(progress_bar(view, 20) == "training [##########");
  CATCH_CHECK(progress_bar({"reading", "cells", "", 7, 0, 0}, 80) == "reading 7 cells");
  CATCH_CHECK(progress_bar({"x", "y", "", 11, 10, 0}, 80) ==
              "x [####################] 110% 11/10 y");
}

CATCH_TEST_CASE("without a terminal progress goes to the log, no oftener than the interval",
                "[progress]") {
  const auto path = std::filesystem::temp_directory_path() /
                    ("cellmill_progress_" + std::to_string(getpid()) + ".log");
  log::also_to(path);
  {
    Progress often({"often", 4, "steps", 0, 0, ProgressOptions::Display::kLines});
    often.update(1, "loss 1");
    often.update(2, "loss 2");
    Progress seldom({"seldom", 4, "steps", 0, 1000, ProgressOptions::Display::kLines});
    seldom.update(1);
    Progress resumed({"resumed", 4, "steps", 3, 1000, ProgressOptions::Display::kLines});
    resumed.update(4);
    resumed.finish();
  }
  log::flush();
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  std::filesystem::remove(path);
  CATCH_CHECK(text.str().find("info often: 1 of 4 steps (25%)") != std::string::npos);
  CATCH_CHECK(text.str().find(", loss 2\n") != std::string::npos);
  CATCH_CHECK(text.str().find("seldom") == std::string::npos);
  CATCH_CHECK(text.str().find("resumed: 1 steps in 0:00 (") != std::string::npos);
}
