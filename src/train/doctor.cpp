#include "train/doctor.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/version.h>
#include <unistd.h>

#include <cstdlib>

#include "base/format.h"
#include "base/process.h"
#include "comm/versions.h"
#include "io/files.h"
#include "train/disk_probe.h"
#include "train/run_folder.h"
#include "train/system_facts.h"

namespace cellmill::train {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

void look_at_launcher(const comm::World& world, Findings& f) {
  const std::string launcher = comm::launcher();
  f.good("launcher", launcher.empty() ? "none: one process"
                                      : fmt::format("{}: {} ranks, {} on this host", launcher,
                                                    world.size, world.local_size));
  const std::string mpi = comm::mpi_version();
  if (mpi.find("but compiled against") != std::string::npos)
    f.stop("MPI", mpi, "load the MPI module that cellmill was built with, or build it again");
  else
    f.good("MPI", mpi);
  const std::string mpirun = first_line_of("mpirun --version");
  if (mpirun.empty())
    f.note("mpirun", "not on the PATH", "needed for several ranks without Slurm");
  else
    f.good("mpirun", mpirun);
  if (world.size == 1 && !mpirun.empty() && geteuid() == 0 &&
      environment("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM").empty())
    f.warning("root", "Open MPI's mpirun refuses to run as root",
              "export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1");
}

void look_at_slurm(Findings& f) {
  const std::string version = first_line_of("srun --version");
  const std::string job = environment("SLURM_JOB_ID");
  if (version.empty() && job.empty()) return f.note("Slurm", "not here");
  if (version.empty()) return f.note("Slurm", "job " + job + ", but srun is not on the PATH");
  f.good("Slurm", job.empty() ? version + ", outside of a job" : version + ", job " + job);
  if (first_line_of("srun --mpi=list 2>&1 | grep -o pmix | head -1") != "pmix")
    f.stop("srun --mpi=pmix", "Slurm does not know pmix",
           "ask for Slurm's pmix plugin; inside a job mpirun works without it");
}

void look_at_accelerators(const comm::World& world, const std::string& device, Findings& f) {
  const auto found = comm::accelerators();
  const bool driver =
      access("/proc/driver/nvidia/version", F_OK) == 0 || access("/dev/nvidiactl", F_OK) == 0;
  if (!found.built_in) {
    if (driver || device == "cuda")
      f.warning("GPU",
                driver ? "a driver is here, but this program was built without CUDA"
                       : "none, and this program was built without CUDA",
                "tools/setup builds for GPUs where it finds the CUDA toolkit; or train.device=cpu");
    else
      f.note("GPU", "none");
    return;
  }
  f.good("CUDA", found.libraries);
  if (found.driver.empty()) {
    f.warning("GPU driver", "none is loaded", "train.device=cpu; or load the NVIDIA driver");
  } else if (found.count == 0) {
    f.stop("GPU", "the driver (CUDA " + found.driver + ") shows no device",
           "CUDA_VISIBLE_DEVICES, --gpus-per-node of the job, or nvidia-smi say why");
  } else if (found.count > 1 && found.count < world.local_size) {
    f.stop("GPU", fmt::format("{} for {} ranks", found.devices, world.local_size),
           "start one rank a GPU");
  } else {
    f.good("GPU", found.devices + ", driver for CUDA " + found.driver);
  }
}

void look_at_cores(const comm::World& world, const SystemFacts& facts, Findings& f) {
  const int threads = at::get_num_threads();
  const double wanted = static_cast<double>(threads) * world.local_size;
  const auto text = fmt::format("{} core{}, {} OpenMP thread{} a rank", facts.cores,
                                facts.cores == 1 ? "" : "s", threads, threads == 1 ? "" : "s");
  const std::string set = environment("OMP_NUM_THREADS");
  if (facts.quota_cpus > 0 && facts.quota_cpus + 0.01 < facts.cores)
    f.warning("CPU quota",
              fmt::format("{:.1f} of the {} cores that are seen", facts.quota_cpus, facts.cores),
              fmt::format("export OMP_NUM_THREADS={}; or raise the container's limit",
                          std::max(1, static_cast<int>(facts.quota_cpus / world.local_size))));
  if (wanted > facts.cores && !set.empty())
    f.warning("cores", text + ": more threads than cores",
              fmt::format("unset OMP_NUM_THREADS (it is {}); cores are shared out then", set));
  else if (!set.empty() && 2 * wanted <= facts.cores)
    f.note("cores", text + ", by OMP_NUM_THREADS", "unset it to use all cores");
  else
    f.good("cores", text);
}

void look_at_memory(const comm::World& world, const SystemFacts& facts, Findings& f) {
  constexpr double kNeeded = 0.5;  // GB: libtorch and a small model
  const double least = facts.quota_gb > 0 ? std::min(facts.quota_gb, facts.free_gb) : facts.free_gb;
  auto text = fmt::format("{:.1f} GB, {:.1f} free", facts.memory_gb, facts.free_gb);
  if (facts.quota_gb > 0) text += fmt::format(", {:.1f} granted", facts.quota_gb);
  if (least < kNeeded * world.local_size)
    f.stop("memory", text, "end other processes, or ask for more (--mem of the job)");
  else
    f.good("memory", text);
}

void look_at_limits(const SystemFacts& facts, Findings& f) {
  constexpr std::int64_t kNeeded = 256, kComfortable = 1024;
  const auto files = facts.open_files;
  const auto raise = facts.open_files_most < 0 || facts.open_files_most >= kComfortable
                         ? fmt::format("ulimit -n {}", kComfortable)
                         : std::string("ask for a higher limit: /etc/security/limits.conf, nofile");
  if (files >= 0 && files < kNeeded)
    f.stop("open files", fmt::format("{}", files), raise);
  else if (files >= 0 && files < kComfortable)
    f.warning("open files", fmt::format("{}; data of many chunks keep 128 open", files), raise);
  else
    f.good("open files", files < 0 ? "no limit" : fmt::format("{}", files));
  if (facts.file_bytes >= 0)
    f.stop("file size", fmt::format("limited to {} bytes", facts.file_bytes),
           "ulimit -f unlimited: checkpoints are files");
  const auto locked = facts.locked_kb < 0 ? "no limit" : fmt::format("{} kB", facts.locked_kb);
  if (facts.locked_kb >= 0 && facts.fast_network)
    f.warning("locked memory", locked + ", with InfiniBand",
              "ulimit -l unlimited, or MPI goes over TCP; under Slurm: PropagateResourceLimits");
  else
    f.good("locked memory", locked);
  f.good("core files", facts.core_file_bytes < 0    ? "whole"
                       : facts.core_file_bytes == 0 ? "none (ulimit -c unlimited, to debug)"
                                                    : "cut short");
}

void look_at_shared_memory(const comm::World& world, const SystemFacts& facts, Findings& f) {
  constexpr std::int64_t kNeeded = 64 << 20;
  const auto megabytes = static_cast<double>(facts.shared_free_bytes) / 1e6;
  const std::string remedy =
      "ranks of a machine add gradients up there; containers: --shm-size=1g or --ipc=host";
  if (facts.shared_free_bytes < 0)
    world.local_size > 1 ? f.stop("/dev/shm", "is not there or not writable", remedy)
                         : f.warning("/dev/shm", "is not there or not writable", remedy);
  else if (facts.shared_free_bytes < kNeeded)
    world.local_size > 1 ? f.stop("/dev/shm", fmt::format("{:.0f} MB free", megabytes), remedy)
                         : f.warning("/dev/shm", fmt::format("{:.0f} MB free", megabytes), remedy);
  else
    f.good("/dev/shm", fmt::format("{:.0f} MB free", megabytes));
}

void look_at_disk(const DoctorOptions& options, Findings& f) {
  constexpr double kSlow = 0.05, kSlowSave = 500;
  const fs::path folder = nearest_folder(options.folder);
  const std::string what = "disk of " + options.folder;
  f.look(what, [&] {
    check_writable(folder);
    const auto kind = file_system_of(folder);
    const double free = 1e-9 * static_cast<double>(io::free_bytes(folder));
    const auto space = fmt::format("{}, {:.1f} GB free", kind, free);
    if (free < 1)
      f.warning(what, space, "free some space: a checkpoint holds three values a parameter");
    else
      f.good(what, space);
    if (kind == "tmpfs" || kind == "ramfs")
      f.warning(what, kind + ": gone when the machine starts again",
                "name an output.folder on a disk");
    if (options.disk_mb == 0) return;
    const auto speed = disk_speed(folder, options.disk_mb << 20);
    const auto text = fmt::format(
        "written and synced {:.2f} GB/s, read {}, a small file saved in {:.1f} ms", speed.write_gbs,
        speed.read_gbs > 0 ? fmt::format("{:.2f} GB/s", speed.read_gbs)
                           : std::string("not measured"),
        speed.save_ms);
    if (speed.write_gbs < kSlow || speed.save_ms > kSlowSave)
      f.warning("disk speed", text, "checkpoints will take long; a scratch file system is faster");
    else
      f.good("disk speed", text);
  });
}

void look_at_first_tensor(comm::World& world, const std::string& device, Findings& f) {
  constexpr double kSlow = 10;
  f.look("first tensor", [&] {
    const bool cuda = device != "cpu" && at::globalContext().hasCUDA();
    auto tensor = at::ones({256, 256}, at::device(cuda ? at::kCUDA : at::kCPU));
    const double sum = at::matmul(tensor, tensor).sum().item<double>();
    if (sum != 256.0 * 256 * 256)
      throw InternalError(fmt::format("a product of ones sums to {}", sum));
    const auto text = fmt::format("{:.2f} s after the program's start, on {}", process_age(),
                                  cuda ? "CUDA" : "the CPU");
    if (process_age() > kSlow && world.size == 1)
      f.warning("first tensor", text,
                "libraries load slowly: put the program and .venv on a local or faster disk");
    else
      f.good("first tensor", text);
  });
}

}  // namespace

Findings examine(comm::World& world, const DoctorOptions& options) {
  Findings mine;
  if (world.local_rank == 0) {
    const SystemFacts facts = system_facts();
    look_at_first_tensor(world, options.device, mine);  // before what takes time itself
    mine.good("cellmill", fmt::format("{}; torch {}", options.version, TORCH_VERSION));
    look_at_launcher(world, mine);
    look_at_slurm(mine);
    look_at_accelerators(world, options.device, mine);
    look_at_cores(world, facts, mine);
    look_at_memory(world, facts, mine);
    look_at_limits(facts, mine);
    look_at_shared_memory(world, facts, mine);
    look_at_disk(options, mine);
  }
  const auto texts = world.host_world->gather_texts(
      world.local_rank == 0 ? io::Json{{"host", world.host}, {"said", json_of(mine)}}.dump() : "");
  std::vector<std::pair<std::string, Findings>> by_host;
  for (const std::string& text : texts) {
    if (text.empty()) continue;
    const auto json = io::Json::parse(text);
    by_host.emplace_back(json.at("host").get<std::string>(), findings_of(json.at("said")));
  }
  return joined(by_host);
}

}  // namespace cellmill::train
