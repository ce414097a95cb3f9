#include "app/data_check.h"
#include "app/run_files.h"
#include "base/error.h"

namespace cellmill::app {
int check_command(comm::World& world, const Arguments& arguments) {
  RunFiles run;
  std::vector<std::string> places;
  std::string figure;
  std::int64_t threads = 0;
  bool json = false;
  config::CommandLine line(
      "cellmill check",
      "What is in these data, and would training take them? Sizes, values, labels: which value\n"
      "dominates which field, which fields go together, what only validation has. Reads every "
      "cell\n"
      "once, in bounded memory; exit code 65 where training would refuse. Under mpirun the ranks\n"
      "share the work.");
  line.positional("DATA", &places,
                  "as data.path: .h5ad, folder of .npz chunks, store; default: the run file's",
                  config::Need::kOptional);
  run.declare(line);
  line.option("json", &json, "everything, as JSON; a list where there are several DATA");
  line.option("figure", &figure, "a picture of it: FILE.svg");
  line.option("threads", &threads, "threads that read; 0: as data.loader.threads",
              config::Need::kOptional, config::between(0, 256));
  if (!line.parse(arguments)) {
    say(world, line.help());
    return 0;
  }
  train::RunOptions o;
  config::read(o, run.read(world));
  if (places.empty()) places.push_back(o.data.source.path);
  if (!figure.empty() && places.size() > 1)
    throw UsageError("--figure shows one data set, not " + std::to_string(places.size()));
  bool refused = false;
  std::vector<data::CensusReport> reports;
  for (const std::string& place : places) {
    o.data.source.path = place;
    comm::set_phase("checking " + place);
    reports.push_back(report_on(world, o.data, threads > 0 ? threads : o.data.loader.threads));
    refused = refused || reports.back().refused();
    if (!json)
      say(world, data::text_of(reports.back()) + (reports.size() < places.size() ? "\n" : ""));
  }
  if (json) say(world, data::json_text(reports));
  if (!figure.empty() && world.rank == 0) data::write_figure(reports.front(), figure);
  return refused ? static_cast<int>(Exit::kData) : 0;
}

}  // namespace cellmill::app
