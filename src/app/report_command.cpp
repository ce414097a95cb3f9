#include <filesystem>

#include "app/data_check.h"
#include "base/error.h"
#include "base/log.h"
#include "config/read.h"
#include "front/overview.h"
#include "infer/run_page.h"

namespace cellmill::app {
namespace {

/// The data of the run, if they still are where its settings say.
void look_at_data(comm::World& world, infer::RunPage& page) {
  try {
    train::RunOptions options;
    config::read(options, {{{"config.yaml", page.history.config}}, {}});
    page.data = report_on(world, options.data, options.data.loader.threads);
  } catch (const Error& error) {
    page.without_data = error.text();
    log::warn("the page is without its data: {}", error.what());
  }
}

}  // namespace

int report_command(comm::World& world, const Arguments& arguments) {
  std::string run, output;
  bool no_data = false;
  config::CommandLine line(
      "cellmill report",
      "A page of a run, one HTML file that needs nothing else: curves, influences of heads, what "
      "is\n"
      "in the data, goodput, starts and machines, failures and warnings of all ranks, settings.");
  line.positional("RUN", &run, "a run folder, finished or not");
  line.option("output", &output, "the page; default: RUN/report.html");
  line.option("no-data", &no_data, "do not read the run's data for it");
  if (!line.parse(arguments)) {
    say(world, line.help());
    return 0;
  }
  if (world.size > 1)
    throw UsageError("a page is made by one process, not by " + std::to_string(world.size),
                     "leave mpirun or srun away");
  infer::RunPage page;
  page.history = infer::read_history(run);
  page.made = front::answer("--version");
  page.without_data = "Left out: --no-data.";
  if (!no_data) look_at_data(world, page);
  if (output.empty()) output = (std::filesystem::path(run) / "report.html").string();
  infer::write_page(page, output);
  say(world, output);
  return 0;
}

}  // namespace cellmill::app
