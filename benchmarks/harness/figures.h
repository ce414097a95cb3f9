#pragma once
// What the macro benchmarks report alike.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "base/format.h"
#include "io/json.h"

namespace cellmill::benchmarks {

/// Min, median and max, each times `scale`.
inline io::Json spread(std::vector<double> values, double scale = 1) {
  std::sort(values.begin(), values.end());
  const auto n = values.size();
  return {{"min", values.front() * scale},
          {"median", (values[(n - 1) / 2] + values[n / 2]) / 2 * scale},
          {"max", values.back() * scale}};
}

inline std::string heading() {
  return fmt::format("{:16} {:>10} {:>10} {:>10}\n", "", "min", "median", "max");
}

inline std::string row(const std::string& name, const io::Json& values) {
  return fmt::format("{:16} {:>10.1f} {:>10.1f} {:>10.1f}\n", name, values.at("min").get<double>(),
                     values.at("median").get<double>(), values.at("max").get<double>());
}

/// Of this process's resident memory.
inline double peak_mb() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
  return 0;
}

inline std::string commit() {
  std::string text;
  if (FILE* pipe = popen("git -C " SOURCE_FOLDER " describe --always --dirty 2>/dev/null", "r")) {
    char line[64];
    if (std::fgets(line, sizeof line, pipe)) text = line;
    pclose(pipe);
  }
  return text.substr(0, text.find('\n'));
}

}  // namespace cellmill::benchmarks
