#include "app/command.h"
#include "app/run_files.h"
#include "config/show.h"
#include "train/trainer.h"

namespace cellmill::app {

int train_command(comm::World& world, const Arguments& arguments) {
  RunFiles run;
  bool resume = false, dry_run = false;
  config::CommandLine line(
      "cellmill train",
      "Trains a model. Under mpirun or srun --mpi=pmix all ranks train one model; the batch in the "
      "run file is the global one. SIGTERM and SIGUSR1 end the run after a checkpoint (exit 75).");
  run.declare(line);
  line.option("resume", &resume, "go on from the newest valid checkpoint of output.folder, if any");
  line.option("dry-run", &dry_run, "print the effective configuration and stop");
  if (!line.parse(arguments)) {
    say(world, line.help());
    return 0;
  }
  train::RunOptions options;
  if (!dry_run) comm::watch(world, options.watchdog);  // reading may hang, too
  config::read(options, run.read(world));
  const auto effective = config::dump(options);
  if (dry_run) {
    say(world, effective);
    return 0;
  }
  return static_cast<int>(train::train(world, options, effective,
                                       resume ? train::Start::kResume : train::Start::kFresh));
}

}  // namespace cellmill::app
