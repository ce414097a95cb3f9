#include <algorithm>

#include "app/foresight.h"
#include "base/error.h"
#include "base/format.h"
#include "config/show.h"
#include "train/rehearsal.h"
#include "train/trainer.h"

namespace cellmill::app {
namespace {

int dry_run(comm::World& world, const train::RunOptions& o, const std::string& effective,
            train::Start start, const std::vector<std::string>& machine_words,
            std::int64_t asked_ranks) {
  MachineWords words(machine_words);
  words.read(world);
  const auto ranks = asked_ranks > 0 ? asked_ranks : world.size;
  train::Findings findings;
  train::rehearse_settings(
      world, o, words.measured() ? train::Where::kHere : train::Where::kElsewhere, findings);
  const auto data = train::rehearse_data(world, o, findings);
  double parameters = 0;
  if (data.source)
    findings.look("forecast", [&] {
      const auto cells = std::max<std::int64_t>(1, o.train.global_batch / ranks);
      const auto work = work_of(o, *data.source, static_cast<double>(cells));
      parameters = work.forms({work.cells, work.nonzeros, 1, true}).forms.front().cost.parameters;
      train::rehearse_model(world, o, data, parameters, findings);
      const auto machine = words.find(world, probe_of(o, *data.source, work));
      train::rehearse_step(o, data, machine, work, static_cast<double>(ranks), findings);
    });
  train::rehearse_folder(world, o, effective, start, data.steps, parameters, findings);
  say(world, train::text_of(findings));
  return findings.exit_code();
}

/// `--resume auto`, as others write it, is `--resume`.
Arguments without_auto(Arguments words) {
  std::replace(words.begin(), words.end(), std::string("--resume=auto"), std::string("--resume"));
  const auto resume = std::find(words.begin(), words.end(), "--resume");
  if (resume != words.end() && std::next(resume) != words.end() && *std::next(resume) == "auto")
    words.erase(std::next(resume));
  return words;
}

}  // namespace

int train_command(comm::World& world, const Arguments& given) {
  RunFiles run;
  std::vector<std::string> machine;
  std::int64_t ranks = 0;
  bool resume = false, dry = false;
  config::CommandLine line(
      "cellmill train",
      "Trains a model. Under mpirun or srun --mpi=pmix all ranks train one model; the batch in the "
      "run file is the global one. SIGTERM and SIGUSR1 end the run after a checkpoint (exit 75).");
  run.declare(line);
  line.option(
      "resume", &resume,
      "go on from the newest valid checkpoint of output.folder, if any; so does --resume auto");
  line.heading("Before the run");
  line.option("dry-run", &dry,
              "only look whether it would go well: settings, data, memory, disk, time; the exit "
              "code is what would stop it");
  MachineWords::declare(line, machine);
  line.option("ranks", &ranks, "dry run: on so many; 0: those that are here",
              config::Need::kOptional, config::at_least(0));
  if (!line.parse(without_auto(given))) {
    say(world, line.help());
    return 0;
  }
  train::RunOptions options;
  if (!dry) comm::watch(world, options.watchdog);  // reading may hang, too
  config::read(options, run.read(world));
  options = train::settled(options);
  const auto effective = config::dump(options);
  const auto start = resume ? train::Start::kResume : train::Start::kFresh;
  if (dry) return dry_run(world, options, effective, start, machine, ranks);
  if (!machine.empty() || ranks > 0)
    throw UsageError("cellmill train: --machine and --ranks are for --dry-run",
                     "mpirun -n N starts N ranks");
  return static_cast<int>(train::train(world, options, effective, start));
}

}  // namespace cellmill::app
