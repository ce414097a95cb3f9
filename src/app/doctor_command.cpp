#include "app/run_files.h"
#include "front/overview.h"
#include "train/doctor.h"
#include "train/run_options.h"

namespace cellmill::app {

int doctor_command(comm::World& world, const Arguments& arguments) {
  RunFiles run;
  train::DoctorOptions options;
  bool json = false;
  config::CommandLine line(
      "cellmill doctor",
      "Is this machine fit for a run? Launcher, MPI, Slurm, GPUs, torch, cores, memory, limits,\n"
      "shared memory, the speed of the output folder's disk, time to the first tensor; what is\n"
      "wrong, and the remedy. Exit code 69, or the reason's own, where something would stop a "
      "run.\n"
      "Under mpirun or srun it looks at every host.");
  run.declare(line);
  line.option("disk-mb", &options.disk_mb, "to measure the disk with; 0: do not",
              config::Need::kOptional, config::between(0, 65536));
  line.option("json", &json, "everything, as JSON");
  if (!line.parse(arguments)) {
    say(world, line.help());
    return 0;
  }
  train::RunOptions settings;
  config::read(settings, run.read(world));
  options.version = front::answer("--version");
  options.folder = settings.output.folder;
  options.device = settings.train.device;
  const auto findings = train::examine(world, options);
  say(world, json ? train::json_of(findings).dump(1) : train::text_of(findings));
  return findings.exit_code();
}

}  // namespace cellmill::app
