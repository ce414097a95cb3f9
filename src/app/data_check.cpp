#include "app/data_check.h"

#include "base/error.h"
#include "data/census_source.h"

namespace cellmill::app {

data::CensusReport report_on(comm::World& world, const train::DataOptions& o,
                             std::int64_t threads) {
  data::CensusReport report{
      o.source.path, o.source.raw_counts, {}, data::Census(data::Vocabulary{}), {}};
  if (o.source.format == "synthetic") report.path = "synthetic cells";
  data::CensusSource opened;
  comm::agree(*world.host_world, [&] { opened = data::open_for_census(o.source); });
  report.refusals = opened.refusals;
  for (const std::string& closed :  // for one rank: for all
       world.host_world->gather_texts(opened.source ? "" : opened.refusals.front()))
    if (!closed.empty()) {
      report.refusals = {closed};
      return report;
    }
  report.vocabulary = opened.source->vocabulary();
  data::CensusPlan plan;
  plan.shard = {world.rank, world.size};
  plan.threads = threads;
  data::Split split;
  try {
    split = data::make_split(opened.source->index(), o.split);
    plan.validation = &split.validation;
  } catch (const Error& error) {
    report.refusals.push_back(error.text());
  }
  const auto mine = data::take_census(*opened.source, plan, opened.faults.get());
  report.census = mine;
  const auto all = world.host_world->gather_texts(world.size > 1 ? data::encode(mine) : "");
  for (int rank = 0; rank < world.size; ++rank)
    if (rank != world.rank) report.census.merge(data::decode(all[rank], report.vocabulary));
  return report;
}

}  // namespace cellmill::app
