#include "infer/run_facts.h"

#include <catch2/catch.hpp>

#include "../expect.h"
#include "io/files.h"
#include "io/sealed.h"

namespace cellmill::infer {

CATCH_TEST_CASE("the last figures of every split are read, half a line is passed over") {
  Scratch scratch;
  CATCH_CHECK(last_figures(scratch.folder).empty());
  io::write_text_atomically(scratch / "metrics.jsonl",
                            "{\"step\":1,\"epoch\":0,\"split\":\"train\",\"loss\":2.5}\n"
                            "{\"step\":2,\"epoch\":1,\"split\":\"train\",\"loss\":1.5}\n"
                            "{\"step\":2,\"epoch\":1,\"split\":\"validation\",\"loss\":3}\n"
                            "{\"step\":3,\"epo");
  const auto figures = last_figures(scratch.folder);
  CATCH_CHECK(figures.size() == 2);
  CATCH_CHECK(figures.at("train").step == 2);
  CATCH_CHECK(figures.at("train").values.at("loss") == 1.5);
  CATCH_CHECK(figures.at("validation").values.size() == 1);
}

CATCH_TEST_CASE("the best step is what best.json marks") {
  Scratch scratch;
  CATCH_CHECK(!best_step(scratch.folder));
  io::write_text_atomically(scratch / "best.json", "{\"step\": 30, \"loss\": 0.5}\n");
  CATCH_CHECK(best_step(scratch.folder) == 30);
  io::write_text_atomically(scratch / "best.json", "not json");
  CATCH_CHECK_THROWS_WITH(best_step(scratch.folder),
                          scratch / "best.json: bytes 0 to 7: is damaged");
  std::string text = io::sealed_json("{\"step\": 30, \"loss\": 0.5}");
  io::write_text_atomically(scratch / "best.json", text);
  CATCH_CHECK(best_step(scratch.folder) == 30);
  text.replace(text.find("30"), 2, "31");
  io::write_text_atomically(scratch / "best.json", text);
  CATCH_CHECK_THROWS_WITH(best_step(scratch.folder), Catch::Contains("is damaged"));
}

}  // namespace cellmill::infer
