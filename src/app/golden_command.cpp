#include <algorithm>
#include <filesystem>

#include "app/command.h"
#include "base/error.h"
#include "base/format.h"
#include "train/golden.h"

namespace cellmill::app {

int golden_command(comm::World& world, const Arguments& arguments) {
  std::string folder, compute = "plain", device = "cpu";
  config::CommandLine line(
      "cellmill golden",
      "Runs every golden case of a folder and of the folders in it: training steps against "
      "another\nimplementation's outputs, losses, gradients, moments and step counts.");
  line.positional("folder", &folder, "holds NAME.f32.safetensors and NAME.f64.safetensors");
  line.option("compute", &compute, "form of the step; outputs over genes are compared in plain",
              config::Need::kOptional, config::one_of({"plain", "dense", "factored"}));
  line.option("device", &device, "where it is computed", config::Need::kOptional,
              config::one_of({"cpu", "cuda"}));
  if (!line.parse(arguments)) {
    say(world, line.help());
    return 0;
  }
  std::vector<std::string> cases;
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder, error)) {
    const auto path = entry.path().string();
    if (path.ends_with(".f32.safetensors") || path.ends_with(".f64.safetensors"))
      cases.push_back(path);
  }
  if (cases.empty()) {
    throw DataError({folder, "", "*.f32.safetensors, *.f64.safetensors", "none"}, "no golden cases",
                    {}, Exit::kNoInput);
  }
  std::sort(cases.begin(), cases.end());
  if (device == "cuda") comm::use_cuda(world);
  int passed = 0, failed = 0, skipped = 0;
  for (const auto& path : cases) {
    const auto result = train::run_golden(path, compute, world.device);
    using Verdict = train::GoldenResult::Verdict;
    const char* word = result.verdict == Verdict::kPassed   ? "passed"
                       : result.verdict == Verdict::kFailed ? "FAILED"
                                                            : "skipped";
    (result.verdict == Verdict::kPassed   ? passed
     : result.verdict == Verdict::kFailed ? failed
                                          : skipped)++;
    say(world,
        fmt::format("{}: {} ({})", word,
                    std::filesystem::path(path).lexically_relative(folder).string(), result.text));
  }
  say(world, fmt::format("{} passed, {} failed, {} skipped", passed, failed, skipped));
  return failed == 0 ? 0 : 1;
}

}  // namespace cellmill::app
