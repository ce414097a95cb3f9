#include "train/system_facts.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

#include "base/error.h"
#include "io/files.h"

namespace cellmill::train {
namespace {

namespace fs = std::filesystem;

std::string word_of(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

/// The folder of this process's control group and those above it, version 2; then version 1's.
std::vector<fs::path> control_groups() {
  std::vector<fs::path> groups;
  std::ifstream in("/proc/self/cgroup");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("0::/"))
      for (fs::path group = line.substr(3);; group = group.parent_path()) {
        groups.push_back("/sys/fs/cgroup" + group.string());
        if (group == group.root_path()) break;
      }
  return groups;
}

double quota_cpus() {
  double least = 0;
  const auto take = [&](double quota, double period) {
    if (quota > 0 && period > 0)
      least = least == 0 ? quota / period : std::min(least, quota / period);
  };
  for (const fs::path& group : control_groups()) {
    std::istringstream line(word_of(group / "cpu.max"));
    double quota = 0, period = 0;
    if (line >> quota >> period) take(quota, period);
  }
  const fs::path old = "/sys/fs/cgroup/cpu";
  take(std::atof(word_of(old / "cpu.cfs_quota_us").c_str()),
       std::atof(word_of(old / "cpu.cfs_period_us").c_str()));
  return least;
}

double quota_gb(double all) {
  double least = 0;
  const auto take = [&](const fs::path& file) {
    const double gb = 1e-9 * std::atof(word_of(file).c_str());
    if (gb > 0 && gb < all) least = least == 0 ? gb : std::min(least, gb);
  };
  for (const fs::path& group : control_groups()) take(group / "memory.max");
  take("/sys/fs/cgroup/memory/memory.limit_in_bytes");
  return least;
}

std::int64_t limit(rlim_t value) {
  return value == RLIM_INFINITY ? -1
                                : static_cast<std::int64_t>(std::min<rlim_t>(
                                      value, std::numeric_limits<std::int64_t>::max()));
}

std::int64_t soft_limit(__rlimit_resource_t what) {
  rlimit found{};
  return getrlimit(what, &found) == 0 ? limit(found.rlim_cur) : 0;
}

double free_gb() {
  std::ifstream in("/proc/meminfo");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("MemAvailable:")) return 1.024e-6 * std::atof(line.c_str() + 13);
  return 0;
}

}  // namespace

SystemFacts system_facts() {
  SystemFacts facts;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) facts.cores = CPU_COUNT(&set);
  facts.quota_cpus = quota_cpus();
  facts.memory_gb = 1e-9 * static_cast<double>(sysconf(_SC_PHYS_PAGES)) *
                    static_cast<double>(sysconf(_SC_PAGE_SIZE));
  facts.free_gb = free_gb();
  facts.quota_gb = quota_gb(facts.memory_gb);
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    facts.open_files = limit(files.rlim_cur);
    facts.open_files_most = limit(files.rlim_max);
  }
  const auto locked = soft_limit(RLIMIT_MEMLOCK);
  facts.locked_kb = locked < 0 ? -1 : locked / 1024;
  facts.core_file_bytes = soft_limit(RLIMIT_CORE);
  facts.file_bytes = soft_limit(RLIMIT_FSIZE);
  facts.shared_free_bytes = -1;
  if (access("/dev/shm", W_OK) == 0) try {
      facts.shared_free_bytes = static_cast<std::int64_t>(io::free_bytes("/dev/shm"));
    } catch (const Error&) {  // as if it were not there
    }
  std::error_code ignored;
  facts.fast_network = fs::exists("/sys/class/infiniband", ignored) &&
                       !fs::is_empty("/sys/class/infiniband", ignored);
  return facts;
}

std::string first_line_of(const std::string& command) {
  std::FILE* pipe = ::popen(("timeout 5 " + command + " 2>/dev/null").c_str(), "r");
  if (!pipe) return {};
  std::string text;
  char part[512];
  while (std::fgets(part, sizeof part, pipe)) text += part;
  const bool well = ::pclose(pipe) == 0;
  return well ? text.substr(0, text.find('\n')) : "";
}

}  // namespace cellmill::train
