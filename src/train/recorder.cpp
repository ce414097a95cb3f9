#include "train/recorder.h"

#include "base/format.h"
#include "io/json.h"
#include "train/influence_figure.h"

namespace cellmill::train {

namespace fs = std::filesystem;
using io::Json;

namespace {

const fs::path& without_later(const fs::path& file, std::int64_t first) {
  if (fs::exists(file)) {
    io::LineFile::filter(file, [&](std::string_view line) {
      const auto json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
      return !json.is_discarded() && json.value("step", std::int64_t{0}) < first;
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
      events_(folder_without_later(folder, first)) {
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
    lines_.append(line.dump());
  });
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
  writer_.run([this] { events_.flush(); });
  writer_.wait();
}

void Recorder::close(bool success) {
  writer_.run([=, this] { events_.hparams_end(success); });
  flush();
}

}  // namespace cellmill::train
