#include "infer/run_damage.h"

#include <algorithm>

#include "base/format.h"
#include "io/events.h"
#include "io/files.h"
#include "io/json.h"
#include "io/sealed.h"

namespace cellmill::infer {
namespace {

namespace fs = std::filesystem;
using io::Json;
using io::Seal;

constexpr const char* kChanged = "is damaged: its digest differs";
constexpr const char* kUnsealed = "is damaged, or of an older cellmill: it carries no digest";

void look_at_lines(const fs::path& file, const std::optional<Points>& points,
                   std::vector<std::string>& damage) {
  if (!fs::exists(file)) {
    if (points && points->count > 0) damage.push_back(file.string() + ": is missing");
    return;
  }
  const std::string text = io::read_text(file);
  std::int64_t number = 0, known = 0;
  for (std::size_t at = 0, end = 0; at < text.size(); at = end + 1) {
    end = std::min(text.find('\n', at), text.size());
    const std::string_view line = std::string_view(text).substr(at, end - at);
    const auto say = [&](const char* what) {
      damage.push_back(
          fmt::format("{}: line {}, bytes {} to {}: {}", file.string(), number, at, end - 1, what));
    };
    ++number;
    const Seal seal = io::seal_of_json(line);
    if (end == text.size())
      say("is cut short: the writer was killed, or the file is damaged");
    else if (seal != Seal::kHolds)
      say(seal == Seal::kBroken ? kChanged : kUnsealed);
    const Json point = Json::parse(line, nullptr, false);
    if (points && point.is_object() && point.value("step", Json()).is_number_integer())
      known += point["step"].get<std::int64_t>() <= points->up_to;
  }
  if (points && known != points->count)
    damage.push_back(
        fmt::format("{}: after line {}, byte {}: has {} points up to step {}, the "
                    "newest checkpoint knows of {}",
                    file.string(), number, text.size(), known, points->up_to, points->count));
}

void look_at(const fs::path& file, Seal (*seal_of)(std::string_view),
             std::vector<std::string>& damage) {
  if (!fs::exists(file)) return;
  std::string text = io::read_text(file);
  const std::size_t last = std::max<std::size_t>(text.size(), 1) - 1;
  if (seal_of == io::seal_of_json && text.ends_with('\n')) text.pop_back();
  const Seal seal = seal_of(text);
  if (seal != Seal::kHolds)
    damage.push_back(fmt::format("{}: bytes 0 to {}: {}", file.string(), last,
                                 seal == Seal::kBroken ? kChanged : kUnsealed));
}

}  // namespace

std::vector<std::string> damage_of_run(const fs::path& run, const std::optional<Points>& points) {
  std::vector<std::string> damage;
  look_at_lines(run / "metrics.jsonl", points, damage);
  for (const char* lines : {"influence.jsonl", "sessions.jsonl"})
    look_at_lines(run / lines, {}, damage);
  look_at(run / "config.yaml", io::seal_of_text, damage);
  look_at(run / "checkpoints" / "best.json", io::seal_of_json, damage);
  for (const std::string& problem : io::EventWriter::damage(run)) damage.push_back(problem);
  return damage;
}

}  // namespace cellmill::infer
