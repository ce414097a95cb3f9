#include "infer/run_damage.h"

#include <catch2/catch.hpp>

#include "../expect.h"
#include "io/events.h"
#include "io/files.h"
#include "io/sealed.h"

namespace cellmill::infer {

using Texts = std::vector<std::string>;

CATCH_TEST_CASE("damage of a run's small files is told with its place") {
  Scratch scratch;
  const std::string lines =
      io::sealed_json(R"({"step":1})") + "\n" + io::sealed_json(R"({"step":2})") + "\n";
  const std::string metrics = scratch / "metrics.jsonl", config = scratch / "config.yaml";
  io::write_text_atomically(metrics, lines);
  io::write_text_atomically(config, io::sealed_text("a: 1\n"));
  std::string events;
  {
    io::EventWriter writer(scratch.folder);
    writer.scalar("loss", 1, 2);
    events = writer.path();
  }
  CATCH_CHECK(damage_of_run(scratch.folder, Points{2, 2}).empty());
  CATCH_CHECK(damage_of_run(scratch.folder, {}).empty());
  CATCH_CHECK(damage_of_run(scratch.folder, Points{3, 2}) ==
              Texts{metrics + ": after line 2, byte 74: has 2 points up to step 2, the newest "
                              "checkpoint knows of 3"});

  std::string changed = lines;
  changed[8] = '3';
  io::write_text_atomically(metrics, changed);
  io::write_text_atomically(config, "a: 2\n");
  const std::string record = io::read_text(events);
  io::write_text_atomically(events, record.substr(0, record.size() - 1));
  CATCH_CHECK(damage_of_run(scratch.folder, {}) ==
              Texts{metrics + ": line 1, bytes 0 to 35: is damaged: its digest differs",
                    config + ": bytes 0 to 4: is damaged, or of an older cellmill: it carries no "
                             "digest",
                    events + ": bytes 40 to " + std::to_string(record.size() - 2) +
                        ": are no whole records: the writer was killed, or the file is damaged"});
  io::write_text_atomically(metrics, lines.substr(0, 50));
  CATCH_CHECK(damage_of_run(scratch.folder, {})[0] ==
              metrics +
                  ": line 2, bytes 37 to 49: is cut short: the writer was killed, or the "
                  "file is damaged");
}

}  // namespace cellmill::infer
