#include "train/recorder.h"

#include <future>
#include <limits>

#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "io/json.h"
#include "io/sealed.h"
#include "train/influence_figure.h"

namespace cellmill::train {

namespace fs = std::filesystem;
using io::Json;

namespace {

constexpr const char *kInfluences = "influence.jsonl", *kSessions = "sessions.jsonl";

fs::path without_later(const fs::path& file, std::int64_t first) {
  if (fs::exists(file)) {
    std::int64_t number = 0;
    io::LineFile::filter(file, [&](std::string_view line) {
      ++number;
      const auto json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
      const bool whole = json.is_object() && io::seal_of_json(line) != io::Seal::kBroken;
      if (!whole) log::warn("{}: line {}: is damaged, and dropped", file.string(), number);
      return whole && json.value("step", std::int64_t{0}) < first;
    });
  }
  return file;
}

std::string folder_without_later(const fs::path& folder, std::int64_t first) {
  io::EventWriter::drop_from(folder.string(), first);
  return folder.string();
}

}  // namespace

Recorder::Recorder(const fs::path& folder, std::int64_t first)
    : lines_(without_later(folder / "metrics.jsonl", first)),
      folder_(folder),
      events_(folder_without_later(folder, first)) {
  without_later(folder / kInfluences, first);
  without_later(folder / kSessions, std::numeric_limits<std::int64_t>::max());
  if (first > 0) events_.restart_at(first);  // for a TensorBoard that is open already
}

void Recorder::point(std::int64_t step, std::int64_t epoch, const std::string& split,
                     std::map<std::string, double> values, std::map<std::string, double> measured) {
  writer_.run([=, this, values = std::move(values), measured = std::move(measured)] {
    Json line = {{"step", step}, {"epoch", epoch}, {"split", split}};
    for (const auto* numbers : {&values, &measured}) {
      for (const auto& [name, value] : *numbers) {
        line[name] = value;
        events_.scalar(split + "/" + name, value, step);
      }
    }
    append(lines_, io::sealed_json(line.dump()));
  });
}

void Recorder::append(io::LineFile& file, const std::string& line) {
  try {
    file.append(line);
    refused_ = false;
  } catch (const DataError& e) {
    if (!refused_) log::warn("points are kept in memory until they can be written: {}", e.text());
    refused_ = true;
  }
}

void Recorder::append_to(const std::string& name, const Json& line) {
  append(others_.try_emplace(name, folder_ / name).first->second, io::sealed_json(line.dump()));
}

void Recorder::influence(std::int64_t step, std::vector<HeadInfluence> heads) {
  if (heads.empty()) return;
  writer_.run([this, step, heads = std::move(heads)] {
    std::string table = "|Head|Mean|Min|Max|\n|---|---|---|---|\n";
    for (const auto& h : heads) {
      events_.histogram("influence/" + h.head, h.norms, step);
      table += fmt::format("|{}|{:.4g}|{:.4g}|{:.4g}|\n", h.head, h.mean, h.low, h.high);
    }
    events_.image("metadata/head_influence_l2", influence_figure(heads), step);
    events_.text("metadata/head_influence_l2_stats", table, step);
    Json line = {{"step", step}, {"heads", Json::object()}};
    for (const auto& h : heads) line["heads"][h.head] = {h.mean, h.low, h.high};
    append_to(kInfluences, line);
  });
}

void Recorder::session(Json facts, std::int64_t step) {
  writer_.run([this, facts = std::move(facts), step] {
    Json line = {{"step", step}};
    line.update(facts);
    append_to(kSessions, line);
  });
}

void Recorder::settings(const std::string& yaml, const std::map<std::string, io::HParam>& hparams,
                        const std::vector<std::string>& metric_tags) {
  writer_.run([=, this] {
    events_.text("config", "```yaml\n" + yaml + "\n```", 0);
    events_.hparams(hparams, metric_tags);
  });
}

void Recorder::flush() {
  std::promise<void> done;
  writer_.run([&] {
    try {
      lines_.sync();
      for (auto& [name, file] : others_) file.sync();
      events_.flush();
      done.set_value();
    } catch (...) {
      done.set_exception(std::current_exception());
    }
  });
  done.get_future().get();
}

void Recorder::close(bool success) {
  writer_.run([=, this] { events_.hparams_end(success); });
  flush();
}

}  // namespace cellmill::train
