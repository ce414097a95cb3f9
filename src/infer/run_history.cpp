#include "infer/run_history.h"

#include <algorithm>
#include <set>
#include <sstream>

#include "base/error.h"
#include "checkpoint/checkpoint.h"
#include "io/files.h"

namespace cellmill::infer {
namespace {

namespace fs = std::filesystem;
using io::Json;

/// The whole objects among the lines of a file, if it is there.
std::vector<Json> objects_of(const fs::path& file) {
  std::vector<Json> objects;
  if (!fs::exists(file)) return objects;
  std::istringstream lines(io::read_text(file));
  for (std::string line; std::getline(lines, line);)
    if (auto json = Json::parse(line, nullptr, false); json.is_object())
      objects.push_back(std::move(json));
  return objects;
}

void read_curves(RunHistory& h) {
  for (const Json& point : objects_of(h.run / "metrics.jsonl")) {
    if (!point.value("split", Json()).is_string() || !point.value("step", Json()).is_number())
      continue;
    const auto step = point["step"].get<double>();
    for (const auto& [name, value] : point.items())
      if (value.is_number() && name != "step" && name != "epoch")
        h.curves[name][point["split"].get<std::string>()].emplace_back(step, value.get<double>());
  }
}

void read_influences(RunHistory& h) {
  for (const Json& line : objects_of(h.run / "influence.jsonl")) {
    if (!line.value("heads", Json()).is_object() || !line.value("step", Json()).is_number())
      continue;
    h.last_influence.clear();
    for (const auto& [head, norms] : line["heads"].items()) {
      if (!norms.is_array() || norms.size() != 3 || !norms[0].is_number()) continue;
      const auto number = [&](std::size_t i) {
        return norms[i].is_number() ? norms[i].get<double>() : 0;
      };
      h.influences[head].emplace_back(line["step"].get<double>(), number(0));
      h.last_influence.push_back({head, {number(0), number(1), number(2)}});
    }
  }
}

/// Lines "TIME LEVEL TEXT" of log/rank-N.log.
void read_log(const fs::path& file, int rank, std::vector<LoggedLine>& logged) {
  std::istringstream lines(io::read_text(file));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string time, level;
    words >> time >> level;
    if (level != "warning" && level != "error") continue;
    const auto text = line.substr(std::min(line.size(), time.size() + level.size() + 2));
    auto same = std::find_if(logged.begin(), logged.end(), [&](const LoggedLine& l) {
      return l.level == level && l.text == text;
    });
    if (same == logged.end()) same = logged.insert(logged.end(), {level, text, {}, 0});
    ++same->count;
    if (same->ranks.empty() || same->ranks.back() != rank) same->ranks.push_back(rank);
  }
}

/// Rank 0 says what the others warn of: "also ranks 1, 2: TEXT" (comm/warnings.h).
void drop_repeated(std::vector<LoggedLine>& logged) {
  std::set<std::string> known;
  for (const LoggedLine& line : logged) known.insert(line.text);
  std::erase_if(logged, [&](const LoggedLine& line) {
    return (line.text.starts_with("rank") || line.text.starts_with("also rank")) &&
           known.contains(line.text.substr(line.text.find(": ") + 2));
  });
}

void read_logs(RunHistory& h) {
  std::map<int, fs::path> files;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(h.run / "log", ignored)) {
    const std::string name = entry.path().stem().string();
    if (name.starts_with("rank-")) files[std::atoi(name.c_str() + 5)] = entry.path();
  }
  for (const auto& [rank, file] : files) read_log(file, rank, h.logged);
  drop_repeated(h.logged);
}

}  // namespace

RunHistory read_history(const fs::path& run) {
  if (!fs::exists(run / "config.yaml"))
    throw DataError({run.string(), "", "a run folder, with config.yaml", "none"}, "holds no run",
                    "name the folder that output.folder named", Exit::kNoInput);
  RunHistory h;
  h.run = run;
  h.config = io::read_text(run / "config.yaml");
  read_curves(h);
  read_influences(h);
  h.sessions = objects_of(run / "sessions.jsonl");
  if (fs::exists(run / "failure.json")) {
    const auto failure = Json::parse(io::read_text(run / "failure.json"), nullptr, false);
    h.failure = failure.is_object() ? failure : Json{{"message", "failure.json is damaged"}};
  }
  read_logs(h);
  for (const auto& entry : checkpoint::list(run / "checkpoints")) {
    std::uintmax_t bytes = 0;
    std::error_code gone;  // a run that goes on deletes old ones
    for (const auto& file : fs::directory_iterator(entry.path, gone))
      if (const auto size = file.file_size(gone); !gone) bytes += size;
    h.checkpoints.emplace_back(entry.step, bytes);
  }
  return h;
}

}  // namespace cellmill::infer
