#include "train/readiness.h"

#include <catch2/catch.hpp>

#include "../expect.h"
#include "train/disk_probe.h"
#include "train/run_folder.h"
#include "train/system_facts.h"

using namespace cellmill;
using Catch::Contains;
using train::Findings;

CATCH_TEST_CASE("findings say the remedy, and the first that stops a run gives the exit code",
                "[readiness]") {
  Findings f;
  f.good("MPI", "4.1");
  CATCH_CHECK(f.exit_code() == 0);
  CATCH_CHECK_THAT(train::text_of(f), Catch::EndsWith("\nnothing here would stop a run"));
  f.warning("cores", "too few", "more");
  CATCH_CHECK(f.look("data", [] {}));
  CATCH_CHECK_FALSE(f.look("data", [] {
    throw DataError({"a.npz", "row 1", "", ""}, "is broken", "mend it");
  }));
  f.stop("memory", "1 GB", "ask for more");
  CATCH_CHECK(f.exit_code() == 65);
  CATCH_CHECK(train::text_of(f) ==
              "ok       MPI       4.1\n"
              "warning  cores     too few\n"
              "                   -> more\n"
              "STOP     data      a.npz: row 1: is broken\n"
              "                   -> mend it\n"
              "STOP     memory    1 GB\n"
              "                   -> ask for more\n"
              "\n2 of these would stop a run; 1 warning");
  const auto back = train::findings_of(train::json_of(f));
  CATCH_CHECK(back.exit_code() == 65);
  CATCH_CHECK(back.list().size() == f.list().size());
}

CATCH_TEST_CASE("what hosts say alike is said once", "[readiness]") {
  Findings a, b;
  a.good("MPI", "4.1");
  b.good("MPI", "4.1");
  a.good("GPU", "none");
  b.warning("GPU", "driver", "load it");
  const auto all = train::joined({{"n1", a}, {"n2", b}});
  CATCH_REQUIRE(all.list().size() == 3);
  CATCH_CHECK(all.list()[0].found == "4.1 (all 2 hosts)");
  CATCH_CHECK(all.list()[1].found == "none (n1)");
  CATCH_CHECK(all.list()[2].found == "driver (n2)");
  CATCH_CHECK(train::joined({{"n1", a}}).list()[0].found == "4.1");
}

CATCH_TEST_CASE("the system's grants and the disk are measured", "[readiness]") {
  const auto facts = train::system_facts();
  CATCH_CHECK(facts.cores >= 1);
  CATCH_CHECK(facts.memory_gb > 0.1);
  CATCH_CHECK(facts.free_gb > 0);
  CATCH_CHECK(facts.open_files != 0);
  CATCH_CHECK(train::first_line_of("printf 'a\\nb\\n'") == "a");
  CATCH_CHECK(train::first_line_of("false").empty());
  CATCH_CHECK(train::first_line_of("/none/such").empty());
  const Scratch scratch;
  const auto speed = train::disk_speed(scratch.folder, 40 << 20);
  CATCH_CHECK(speed.write_gbs > 0);
  CATCH_CHECK(speed.read_gbs > 0);
  CATCH_CHECK(speed.save_ms > 0);
  CATCH_CHECK(std::filesystem::is_empty(scratch.folder));
  CATCH_CHECK_THROWS_AS(train::disk_speed(scratch.folder / "none", 1), DataError);
  CATCH_CHECK(train::file_system_of("/proc").starts_with("type 0x9fa0"));
}

CATCH_TEST_CASE("a run folder is looked at without making it", "[readiness]") {
  const Scratch scratch;
  const auto path = scratch.folder / "a" / "b";
  train::check_run_folder(path, "", false);
  CATCH_CHECK_FALSE(std::filesystem::exists(scratch.folder / "a"));
  CATCH_CHECK(train::nearest_folder(path) == scratch.folder);
  CATCH_CHECK(train::nearest_folder(scratch.folder) == scratch.folder);
  train::check_writable(scratch.folder);
  CATCH_CHECK(std::filesystem::is_empty(scratch.folder));
  CATCH_CHECK_THROWS_WITH(train::check_writable("/proc"), Contains("is not writable"));
}
