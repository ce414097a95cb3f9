#include "train/session.h"

#include <ATen/Parallel.h>
#include <torch/version.h>

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <map>

#include "base/format.h"
#include "base/process.h"
#include "comm/versions.h"
#include "train/system_facts.h"

namespace cellmill::train {
namespace {

std::string processor() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown";
}

std::string started() {
  const std::time_t time = std::time(nullptr) - static_cast<std::time_t>(process_age());
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&time));
  return text;
}

}  // namespace

io::Json describe_session(comm::World& world) {
  std::map<std::string, int> hosts;
  for (const std::string& host : world.host_world->gather_texts(world.host)) ++hosts[host];
  std::string names;
  for (const auto& [host, ranks] : hosts)
    names += fmt::format("{}{} ({} rank{})", names.empty() ? "" : ", ", host, ranks,
                         ranks > 1 ? "s" : "");
  const auto facts = system_facts();
  const auto gpus = comm::accelerators();
  const std::string launcher = comm::launcher();
  io::Json json = {{"started", started()},
                   {"cellmill", CELLMILL_VERSION},
                   {"ranks", world.size},
                   {"hosts", names},
                   {"launcher", launcher.empty() ? "none" : launcher},
                   {"device", world.device.str()},
                   {"processor", fmt::format("{}, {} cores, {:.0f} GB", processor(), facts.cores,
                                             facts.memory_gb)},
                   {"threads", at::get_num_threads()},
                   {"torch", TORCH_VERSION},
                   {"MPI", comm::mpi_version()}};
  if (!gpus.devices.empty()) json["GPU"] = gpus.devices + "; " + gpus.libraries;
  if (const char* job = std::getenv("SLURM_JOB_ID")) json["slurm_job"] = job;
  return json;
}

}  // namespace cellmill::train
