// What recording a point of curves costs the training loop, per scalar: written in the loop
// (plain) and handed to the recorder's thread (fast). A point a step of a millisecond, ten scalars.
#include "train/recorder.h"

#include <algorithm>
#include <filesystem>
#include <thread>

#include "base/log.h"
#include "base/stopwatch.h"
#include "io/json.h"

namespace {

using namespace cellmill;

constexpr int kPoints = 1000, kScalars = 10;

std::map<std::string, double> scalars() {
  std::map<std::string, double> values;
  for (int k = 0; k < kScalars; ++k) values["loss/target/field_" + std::to_string(k)] = k;
  return values;
}

/// Microseconds a scalar: the median over points.
template <class Record>
double cost(const Record& record) {
  std::vector<double> costs;
  for (int k = 0; k < kPoints; ++k) {
    auto values = scalars();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const Stopwatch watch;
    record(k, std::move(values));
    costs.push_back(1e6 * watch.seconds() / kScalars);
  }
  std::nth_element(costs.begin(), costs.begin() + kPoints / 2, costs.end());
  return costs[kPoints / 2];
}

}  // namespace

int main() {
  const auto folder = std::filesystem::temp_directory_path() /
                      ("bench_recorder_" +
                       std::to_string(std::hash<std::thread::id>()(std::this_thread::get_id())));
  std::filesystem::create_directories(folder);
  double plain = 0, fast = 0;
  {
    io::LineFile lines(folder / "lines.jsonl");
    io::EventWriter events(folder.string());
    plain = cost([&](int step, std::map<std::string, double> values) {
      io::Json line = {{"step", step}};
      for (const auto& [name, value] : values) {
        line[name] = value;
        events.scalar("train/" + name, value, step);
      }
      lines.append(line.dump());
    });
    train::Recorder recorder(folder, 0);
    fast = cost([&](int step, std::map<std::string, double> values) {
      recorder.point(step, 0, "train", std::move(values), {});
    });
    recorder.close(true);
  }
  std::filesystem::remove_all(folder);
  log::say(io::Json({{"benchmark", "recorder"},
                     {"name", "a TensorBoard scalar"},
                     {"plain_ms", plain / 1e3},
                     {"fast_ms", fast / 1e3}})
               .dump());
}
