#include "infer/run_facts.h"

#include <algorithm>
#include <sstream>

#include "base/error.h"
#include "base/format.h"
#include "io/files.h"
#include "io/json.h"
#include "io/sealed.h"

namespace cellmill::infer {

using io::Json;
namespace fs = std::filesystem;

std::optional<std::int64_t> best_step(const fs::path& checkpoints) {
  const fs::path file = checkpoints / "best.json";
  if (!fs::exists(file)) return {};
  std::string text = io::read_text(file);
  const std::size_t last = std::max<std::size_t>(text.size(), 1) - 1;
  if (text.ends_with('\n')) text.pop_back();
  const Json best = Json::parse(text, nullptr, false);
  if (!best.is_object() || !best.value("step", Json()).is_number_integer() ||
      io::seal_of_json(text) == io::Seal::kBroken)
    throw DataError({file.string(), fmt::format("bytes 0 to {}", last), "", ""}, "is damaged",
                    "name one checkpoint; cellmill train --resume writes the file anew");
  return best["step"].get<std::int64_t>();
}

std::map<std::string, LastFigures> last_figures(const fs::path& run) {
  std::map<std::string, LastFigures> splits;
  const fs::path file = run / "metrics.jsonl";
  if (!fs::exists(file)) return splits;
  std::istringstream lines(io::read_text(file));
  for (std::string line; std::getline(lines, line);) {
    const Json point = Json::parse(line, nullptr, false);
    if (!point.is_object() || !point.contains("split")) continue;  // the last line of a broken run
    LastFigures figures{
        point.value("step", std::int64_t{0}), point.value("epoch", std::int64_t{0}), {}};
    for (const auto& [name, value] : point.items())
      if (value.is_number() && name != "step" && name != "epoch")
        figures.values[name] = value.get<double>();
    splits[point["split"].get<std::string>()] = std::move(figures);
  }
  return splits;
}

}  // namespace cellmill::infer
