#include "infer/load_model.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "base/format.h"
#include "base/log.h"
#include "checkpoint/checkpoint.h"
#include "config/read.h"
#include "infer/run_facts.h"
#include "models/model_table.h"

namespace cellmill::infer {
namespace {

namespace fs = std::filesystem;

struct ModelSection {
  models::ModelOptions model;
};
void describe(config::Schema& s, ModelSection& o) { s.section("model", o.model); }

// The lines of one top-level key of a YAML text, blank lines before them, so that places in
// messages stay those of the whole text.
std::string section_of(const std::string& text, const std::string& key) {
  const config::Node root = config::parse_yaml(text);
  int begin = 0, end = 0;
  for (const config::Entry& entry : root.entries) {
    if (begin && !end) end = entry.key.line;
    if (entry.key.text == key) begin = entry.key.line;
  }
  std::string section;
  int line = 1;
  for (std::size_t at = 0; at < text.size(); ++line) {
    const std::size_t next = std::min(text.find('\n', at), text.size() - 1) + 1;
    if (begin && line >= begin && (!end || line < end))
      section += text.substr(at, next - at);
    else
      section += '\n';
    at = next;
  }
  return section;
}

template <class Map>
const typename Map::mapped_type& held(const Map& map, const std::string& key,
                                      const fs::path& checkpoint) {
  const auto it = map.find(key);
  if (it == map.end())
    throw DataError({checkpoint.string(), {}, "'" + key + "'", {}}, "holds no model of cellmill");
  return it->second;
}

void copy_in(at::Tensor target, const std::string& name, const checkpoint::State& state,
             const fs::path& checkpoint) {
  const auto found = state.tensors.find(name);
  if (found == state.tensors.end())
    throw DataError({checkpoint.string(), "tensor " + name, {}, "none"},
                    "the checkpoint does not fit its settings");
  if (found->second.sizes() != target.sizes())
    throw DataError({checkpoint.string(), "tensor " + name,
                     fmt::format("{}", fmt::join(target.sizes().vec(), " x ")),
                     fmt::format("{}", fmt::join(found->second.sizes().vec(), " x "))},
                    "the checkpoint does not fit its settings");
  const at::NoGradGuard no_gradients;
  target.copy_(found->second);
}

}  // namespace

c10::Device pick_device(const std::string& name) {
  if (name == "cpu" || (name == "auto" && !at::hasCUDA())) return c10::kCPU;
  if (!at::hasCUDA())
    throw UsageError("--device cuda: there is no CUDA device, or this build has no CUDA");
  return c10::Device(c10::kCUDA, 0);
}

fs::path find_checkpoint(const fs::path& where, std::vector<std::string>& notes) {
  if (!fs::exists(where))
    throw DataError({where.string(), {}, {}, {}}, "no such checkpoint or run", {}, Exit::kNoInput);
  if (fs::exists(where / "manifest.json")) return where;
  const fs::path folder = fs::exists(where / "checkpoints") ? where / "checkpoints" : where;
  if (const auto best = best_step(folder)) {
    for (const checkpoint::Entry& entry : checkpoint::list(folder))
      if (entry.step == *best) return entry.path;
    notes.push_back(fmt::format("step {}, marked as best, is not there", *best));
  }
  if (const auto newest = checkpoint::newest_valid(folder, notes)) return newest->path;
  std::string why;
  for (const std::string& note : notes) why += "; " + note;
  throw DataError({where.string(), {}, {}, {}}, "holds no valid checkpoint" + why,
                  "name a run folder, its checkpoints/ or one checkpoint", Exit::kNoInput);
}

LoadedModel load_model(const fs::path& where, const std::string& device) {
  LoadedModel loaded;
  std::vector<std::string> notes;
  loaded.checkpoint = find_checkpoint(where, notes);
  for (const std::string& note : notes) log::warn("{}", note);
  loaded.device = pick_device(device);
  const checkpoint::State state = checkpoint::load(loaded.checkpoint);
  loaded.config = held(state.texts, "config", loaded.checkpoint);
  loaded.step = held(state.numbers, "step", loaded.checkpoint);
  loaded.epoch = held(state.numbers, "epoch", loaded.checkpoint);
  loaded.vocabulary.genes = held(state.lists, "genes", loaded.checkpoint);
  loaded.vocabulary.ranked = state.numbers.contains("ranked");
  for (const std::string& field : held(state.lists, "fields", loaded.checkpoint))
    loaded.vocabulary.fields.push_back(
        {field, held(state.lists, "categories/" + field, loaded.checkpoint)});

  ModelSection section;
  config::read(
      section,
      {{{(loaded.checkpoint / "config").string(), section_of(loaded.config, "model")}}, {}});
  constexpr std::string_view kText = "model_text/";
  for (const auto& [name, text] : state.texts)
    if (name.starts_with(kText)) section.model.texts[name.substr(kText.size())] = text;
  loaded.model = models::make_model(section.model, loaded.vocabulary, 0, at::kFloat);
  for (const models::Group& group : loaded.model->groups())
    for (const models::Parameter& parameter : group.parameters)
      copy_in(parameter.value, "model/" + parameter.name, state, loaded.checkpoint);
  for (const auto& [name, buffer] : loaded.model->buffers())
    copy_in(buffer, "model_buffer/" + name, state, loaded.checkpoint);
  loaded.model->to(loaded.device);
  log::info("{} of {} genes and {} fields, trained {} steps: {}", loaded.model->name(),
            loaded.vocabulary.genes.size(), loaded.vocabulary.fields.size(), loaded.step,
            loaded.checkpoint.string());
  return loaded;
}

std::string models_that(bool (*can)(models::Model&)) {
  const data::Vocabulary tiny{{{"cell_type", {"a", "b"}}}, {"gene"}};
  std::string names;
  for (const std::string& name : models::model_names()) {
    models::ModelOptions options;
    options.name = name;
    if (can(*models::make_model(options, tiny, 0, at::kFloat)))
      names += (names.empty() ? "" : ", ") + name;
  }
  return names;
}

}  // namespace cellmill::infer
