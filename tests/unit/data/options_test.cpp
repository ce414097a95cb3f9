#include <catch2/catch.hpp>

#include "base/error.h"
#include "config/read.h"
#include "data/chunk_source.h"
#include "data/loader.h"
#include "data/split.h"

using namespace cellmill;
using namespace cellmill::data;

namespace {

struct All {
  SourceOptions source;
  LoaderOptions loader;
  SplitOptions split;
};
void describe(config::Schema& schema, All& all) {
  schema.section("source", all.source);
  schema.section("loader", all.loader);
  schema.section("split", all.split);
}

std::string refusal(const std::string& setting) {
  All all;
  try {
    config::read(all, {.files = {}, .settings = {setting}});
  } catch (const UsageError& error) {
    CATCH_CHECK(error.code() == Exit::kConfig);
    return error.text();
  }
  return "accepted";
}

}  // namespace

CATCH_TEST_CASE("the settings of data are read from a run file", "[options]") {
  All all;
  config::read(all, {.files = {{"run.yaml",
                                "source: {format: synthetic, synthetic_categories: [2, 3, 4], "
                                "raw_counts: true, fields: [tissue]}\n"
                                "loader: {order: chunk, memory_mb: 64}\n"
                                "split: {validation_chunks: [0, 2]}\n"}},
                     .settings = {"split.seed=7"}});
  CATCH_CHECK(all.source.synthetic_categories == std::vector<std::int64_t>{2, 3, 4});
  CATCH_CHECK(all.source.raw_counts);
  CATCH_CHECK(all.source.fields == std::vector<std::string>{"tissue"});
  CATCH_CHECK(all.loader.order == "chunk");
  CATCH_CHECK(all.loader.memory_mb == 64);
  CATCH_CHECK(all.loader.buffer_cells == LoaderOptions{}.buffer_cells);
  CATCH_CHECK(all.split.validation_chunks == std::vector<std::int64_t>{0, 2});
  CATCH_CHECK(all.split.seed == 7);
}

CATCH_TEST_CASE("settings that cannot be are refused", "[options]") {
  using Catch::Contains;
  CATCH_CHECK_THAT(refusal("source.format=h5"), Contains("source.format") && Contains("h5ad"));
  CATCH_CHECK_THAT(refusal("loader.order=mix"), Contains("mixed"));
  CATCH_CHECK_THAT(refusal("loader.threads=0"), Contains("between 1 and 64"));
  CATCH_CHECK_THAT(refusal("split.validation_fraction=1"), Contains("split.validation_fraction"));
  CATCH_CHECK_THAT(refusal("source.synthetic_categories=[0]"), Contains("at least 1"));
  CATCH_CHECK_THAT(refusal("loader.prefetch=1"), Contains("prefetch_chunks"));
}
