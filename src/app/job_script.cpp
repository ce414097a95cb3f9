#include "app/job_script.h"

#include <cctype>
#include <cstring>
#include <map>
#include <sstream>

#include "base/error.h"

namespace cellmill::app {
namespace {

/// Words that neither the shell nor sbatch reads as anything else.
void require_plain(const std::string& what, const std::string& text) {
  for (const char c : text) {
    if (!std::isalnum(static_cast<unsigned char>(c)) && !std::strchr("_-./,+=:@%[]", c))
      throw UsageError("cellmill submit: " + what + ": '" + text + "' holds '" + c +
                           "', which cannot stand in a batch script as it is",
                       "letters, digits and _-./,+=:@%[] can");
  }
}

/// The key of "#SBATCH --key=value" or "##SBATCH --key=value"; empty for other lines.
std::string sbatch_key(const std::string& line) {
  const auto start = line.find("#SBATCH --");
  if (start > 1) return {};
  const auto key = start + std::string("#SBATCH --").size();
  return line.substr(key, line.find_first_of("= ", key) - key);
}

using Fills = std::map<std::string, std::string>;

Fills fills_of(const JobSettings& s) {
  const auto number = [](std::int64_t n) { return n > 0 ? std::to_string(n) : std::string(); };
  return {{"job-name", s.name},
          {"nodes", number(s.nodes)},
          {"ntasks-per-node", number(s.ranks)},
          {"cpus-per-task", number(s.cpus)},
          {"gpus-per-node", number(s.gpus)},
          {"time", s.time},
          {"output", s.log}};
}

}  // namespace

std::string job_script(const JobSettings& settings) {
  require_plain("output.folder", settings.folder);
  auto fills = fills_of(settings);
  for (const auto& [key, value] : fills) require_plain(key, value);
  for (const auto& option : settings.more) require_plain("--sbatch", option);
  Fills variables = {
      {"PROGRAM", settings.program}, {"CONFIG", settings.config}, {"FOLDER", settings.folder}};
  for (const auto& [key, value] : variables) require_plain(key, value);

  std::istringstream lines(kTrainScript);
  std::string script, line;
  bool in_options = false;
  while (std::getline(lines, line)) {
    const auto key = sbatch_key(line);
    if (in_options && key.empty())
      for (const auto& option : settings.more) script += "#SBATCH --" + option + "\n";
    in_options = !key.empty();
    if (const auto fill = fills.find(key); fill != fills.end()) {
      if (!fill->second.empty()) line = "#SBATCH --" + key + "=" + fill->second;
      fills.erase(fill);
    } else if (const auto set = variables.find(line.substr(0, line.find("=${")));
               set != variables.end()) {
      line = set->first + "=" + set->second;
      variables.erase(set);
    }
    script += line + "\n";
  }
  if (!fills.empty() || !variables.empty())
    throw InternalError("slurm/train.sbatch has lost its line for " +
                        (fills.empty() ? variables : fills).begin()->first);
  return script;
}

}  // namespace cellmill::app
