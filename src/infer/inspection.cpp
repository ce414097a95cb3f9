#include "infer/inspection.h"

#include <ATen/core/Tensor.h>

#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "checkpoint/checkpoint.h"
#include "infer/load_model.h"
#include "infer/run_damage.h"
#include "io/json.h"

namespace cellmill::infer {
namespace {

namespace fs = std::filesystem;
using io::Json;

constexpr std::string_view kModel = "model/";

std::vector<Verdict> verdicts_of(const fs::path& folder) {
  std::vector<Verdict> verdicts;
  for (const checkpoint::Entry& entry : checkpoint::list(folder)) {
    verdicts.push_back({entry.path, entry.step, {}});
    try {
      checkpoint::verify(entry.path);
    } catch (const DataError& error) {
      verdicts.back().problem = error.what();
    }
  }
  return verdicts;
}

/// What the newest whole one says.
std::optional<Points> points_of(const std::vector<Verdict>& verdicts) {
  for (auto v = verdicts.rbegin(); v != verdicts.rend(); ++v) {
    if (!v->problem.empty()) continue;
    const auto numbers = checkpoint::load(v->checkpoint).numbers;
    if (!numbers.contains("points")) return {};
    return Points{numbers.at("points"), numbers.at("settled")};
  }
  return {};
}

std::uintmax_t bytes_of(const fs::path& folder) {
  std::uintmax_t bytes = 0;
  for (const auto& file : fs::directory_iterator(folder)) bytes += file.file_size();
  return bytes;
}

std::string one_line(const std::vector<std::string>& names, std::size_t most) {
  if (names.size() <= most) return fmt::format("{}", fmt::join(names, ", "));
  return fmt::format("{}, ... ({} more)", fmt::join(names.begin(), names.begin() + most, ", "),
                     names.size() - most);
}

// Figures that say how good the model is, not how the step went.
bool is_result(const std::string& name) {
  return !name.starts_with("gradient_norm/") && !name.ends_with("/min") &&
         !name.ends_with("/max") && !name.ends_with("_seconds");
}

}  // namespace

Inspection inspect(const fs::path& where, Verify verify) {
  Inspection i;
  std::vector<std::string> notes;
  i.checkpoint = find_checkpoint(where, notes);
  for (const std::string& note : notes) log::warn("{}", note);
  const checkpoint::State state = checkpoint::load(i.checkpoint);
  const auto text = state.texts.find("model");
  i.model = text == state.texts.end() ? "(not said)" : text->second;
  const auto number = [&](const char* name) {
    const auto it = state.numbers.find(name);
    return it == state.numbers.end() ? std::int64_t{0} : it->second;
  };
  i.step = number("step");
  i.epoch = number("epoch");
  if (state.numbers.contains("cell_order"))
    i.cell_order = fmt::format("{:016x}", static_cast<std::uint64_t>(number("cell_order")));
  const auto list = [&](const std::string& name) {
    const auto it = state.lists.find(name);
    return it == state.lists.end() ? std::vector<std::string>{} : it->second;
  };
  i.vocabulary.genes = list("genes");
  for (const std::string& field : list("fields"))
    i.vocabulary.fields.push_back({field, list("categories/" + field)});
  for (const auto& [name, tensor] : state.tensors) {
    if (!name.starts_with(kModel)) continue;
    i.parameters += tensor.numel();
    i.shapes[name.substr(kModel.size())] = tensor.sizes().vec();
  }
  i.bytes = bytes_of(i.checkpoint);
  const fs::path folder = fs::absolute(i.checkpoint).parent_path();
  i.best_step = best_step(folder);
  i.verdicts = {{i.checkpoint, i.step, {}}};
  if (verify == Verify::kAll) {
    i.verdicts = verdicts_of(folder);
    if (fs::exists(folder.parent_path() / "config.yaml"))
      i.damage = damage_of_run(folder.parent_path(), points_of(i.verdicts));
  }
  i.figures = last_figures(folder.parent_path());
  return i;
}

std::string text_of(const Inspection& i, Detail detail) {
  std::string text;
  const auto line = [&](std::string_view name, const std::string& value) {
    text += fmt::format("{:<12} {}\n", name, value);
  };
  line("checkpoint", i.checkpoint.string());
  line("model", fmt::format("{}, {} parameters, {:.1f} MB on disk", i.model, i.parameters,
                            static_cast<double>(i.bytes) / 1e6));
  line("trained", fmt::format("{} steps, epoch {}{}", i.step, i.epoch,
                              i.best_step == i.step ? ", the best so far" : ""));
  if (!i.cell_order.empty()) line("cells", "order of all that were seen: digest " + i.cell_order);
  const std::size_t most = detail == Detail::kNames ? i.vocabulary.genes.size() : 5;
  line("genes",
       fmt::format("{}: {}", i.vocabulary.genes.size(), one_line(i.vocabulary.genes, most)));
  for (const data::Field& field : i.vocabulary.fields)
    line("field", fmt::format("{}, {} categories: {}", field.name, field.categories.size(),
                              one_line(field.categories,
                                       detail == Detail::kNames ? field.categories.size() : 5)));
  if (detail == Detail::kNames)
    for (const auto& [name, shape] : i.shapes)
      line("parameter", fmt::format("{} [{}]", name, fmt::join(shape, ", ")));
  for (const auto& [split, figures] : i.figures) {
    line(split, fmt::format("at step {}", figures.step));
    for (const auto& [name, value] : figures.values)
      if (detail == Detail::kNames || is_result(name))
        text += fmt::format("  {:<40} {:.6g}\n", name, value);
  }
  for (const Verdict& verdict : i.verdicts)
    line("digests", verdict.problem.empty() ? fmt::format("{}: every digest holds",
                                                          verdict.checkpoint.filename().string())
                                            : "BROKEN: " + verdict.problem);
  for (const std::string& problem : i.damage) line("digests", "BROKEN: " + problem);
  text.pop_back();
  return text;
}

std::string json_of(const Inspection& i) {
  Json json{{"checkpoint", i.checkpoint.string()},
            {"model", i.model},
            {"step", i.step},
            {"epoch", i.epoch},
            {"parameters", i.parameters},
            {"bytes", i.bytes},
            {"genes", i.vocabulary.genes}};
  json["cell_order"] = i.cell_order.empty() ? Json() : Json(i.cell_order);
  json["best_step"] = i.best_step ? Json(*i.best_step) : Json();
  json["fields"] = Json::object();
  for (const data::Field& field : i.vocabulary.fields)
    json["fields"][field.name] = field.categories;
  json["shapes"] = i.shapes;
  json["figures"] = Json::object();
  for (const auto& [split, figures] : i.figures) {
    json["figures"][split] = figures.values;
    json["figures"][split]["step"] = figures.step;
    json["figures"][split]["epoch"] = figures.epoch;
  }
  json["digests"] = Json::array();
  for (const Verdict& verdict : i.verdicts)
    json["digests"].push_back({{"checkpoint", verdict.checkpoint.string()},
                               {"step", verdict.step},
                               {"valid", verdict.problem.empty()},
                               {"problem", verdict.problem}});
  json["damage"] = i.damage;
  return json.dump(2, ' ', false, Json::error_handler_t::replace);  // a problem may quote damage
}

}  // namespace cellmill::infer
