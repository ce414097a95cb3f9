#pragma once
// What the system grants this process, from /proc, the cgroup and the limits. 0 where it does not
// say.
#include <cstdint>
#include <string>

namespace cellmill::train {

struct SystemFacts {
  int cores = 0;          ///< that the process may run on
  double quota_cpus = 0;  ///< of the cgroup's CPU time; 0: no quota
  double memory_gb = 0, free_gb = 0;
  double quota_gb = 0;                               ///< of the cgroup's memory; 0: no quota
  std::int64_t open_files = 0, open_files_most = 0;  ///< soft and hard limit; -1: none
  std::int64_t locked_kb = 0, core_file_bytes = 0, file_bytes = 0;  ///< -1: no limit
  std::int64_t shared_free_bytes = 0;  ///< of /dev/shm; -1: there is none, or it is not writable
  bool fast_network = false;           ///< InfiniBand or its like
};

SystemFacts system_facts();

/// The first line of what `command` prints within five seconds; "" if it fails.
std::string first_line_of(const std::string& command);

}  // namespace cellmill::train
