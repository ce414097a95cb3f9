#include <filesystem>

#include "app/command.h"
#include "app/job_script.h"
#include "app/run_files.h"
#include "base/error.h"
#include "base/process.h"
#include "config/show.h"
#include "io/files.h"
#include "train/run_folder.h"
#include "train/run_options.h"

namespace cellmill::app {
namespace {

namespace fs = std::filesystem;

/// Refuses now what the job would be refused for in its turn.
void check_folder(const fs::path& folder, const std::string& effective) {
  if (fs::exists(folder)) train::RunFolder(folder, effective, true);
}

int hand_to_slurm(const fs::path& script) {
  const int code = run_program({"sbatch", script.string()});
  if (code == kNotFound)
    throw UsageError("cellmill submit: there is no sbatch here",
                     "on a login node of the cluster: sbatch " + script.string());
  if (code != 0)
    throw UsageError(
        "cellmill submit: sbatch refused the job (exit code " + std::to_string(code) + ")",
        "its words stand above; the script is " + script.string());
  return 0;
}

}  // namespace

int submit_command(comm::World& world, const Arguments& arguments) {
  RunFiles run;
  JobSettings job;
  bool dry_run = false;
  config::CommandLine line(
      "cellmill submit",
      "Writes a batch script for Slurm (slurm/train.sbatch, filled in) and submits it.\n"
      "The run file is checked first, and kept as it is now: FOLDER.sbatch and FOLDER.yaml stand\n"
      "beside output.folder. The job saves before its time is up, goes back into the queue by\n"
      "itself, and goes on.");
  const auto count = config::at_least(0);
  constexpr auto kOptional = config::Need::kOptional;
  line.positional("CONFIG", &run.files, "run files (YAML), later ones win");
  line.option("set", &run.settings,
              "key=value settings, as in data.path=cells; they win over files");
  line.option("nodes", &job.nodes, "nodes; 0: what slurm/train.sbatch says, here and below",
              kOptional, count);
  line.option("ranks", &job.ranks, "ranks a node: one a GPU, or one a CPU socket; 0: one a GPU",
              kOptional, count);
  line.option("gpus", &job.gpus, "GPUs a node", kOptional, count);
  line.option("cpus", &job.cpus, "CPU cores a rank", kOptional, count);
  line.option("time", &job.time, "limit of one start, as in 8:00:00");
  line.option("sbatch", &job.more, "other options of sbatch, as in partition=gpu account=lab");
  line.option("dry-run", &dry_run, "print the script; write and submit nothing");
  if (!line.parse(arguments)) {
    say(world, line.help());
    return 0;
  }
  train::RunOptions options;
  config::read(options, run.read(world));
  if (world.rank != 0) return 0;
  const auto effective = config::dump(options);
  auto folder = fs::path(options.output.folder).lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();  // "runs/a/"
  const auto beside = [&](const std::string& ending) { return folder.string() + ending; };
  if (job.ranks == 0) job.ranks = job.gpus;
  job.name = "cellmill-" + folder.filename().string();
  job.log = beside("-%j.log");
  job.program = fs::read_symlink("/proc/self/exe").parent_path() / "cellmill";
  job.config = beside(".yaml");
  job.folder = folder;
  const auto script = job_script(job);
  if (dry_run) {
    say(world, script);
    return 0;
  }
  check_folder(folder, effective);
  std::error_code ignored;  // what it refuses, the write says
  if (folder.has_parent_path()) fs::create_directories(folder.parent_path(), ignored);
  io::write_text_atomically(job.config, effective);
  io::write_text_atomically(beside(".sbatch"), script);
  say(world, "wrote " + beside(".sbatch") + " and " + job.config + "; the log will be " + job.log);
  return hand_to_slurm(beside(".sbatch"));
}

}  // namespace cellmill::app
