#include "io/events.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>

#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "io/files.h"
#include "io/protobuf.h"
#include "io/records.h"

namespace cellmill::io {

namespace {

constexpr std::string_view kPrefix = "events.out.tfevents.";
constexpr const char* kSessionEnd = "_hparams_/session_end_info";
constexpr std::size_t kBufferBytes = 1 << 16;

// Field numbers of Event, Summary.Value and TensorProto.
namespace event {
constexpr int kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5, kSessionLog = 7;
}
namespace value {
constexpr int kTag = 1, kSimple = 2, kImage = 4, kHistogram = 5, kTensor = 8, kMetadata = 9;
}
namespace tensor {
constexpr int kDtype = 1, kShape = 2, kContent = 4, kStrings = 8, kFloat = 1, kString = 7;
}

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::vector<fs::path> event_files(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    if (entry.path().filename().string().starts_with(kPrefix)) files.push_back(entry.path());
  return files;
}

std::string new_file_name(const fs::path& folder) {
  static std::atomic<unsigned> counter{0};
  auto seconds = static_cast<long long>(now());
  for (const fs::path& file : event_files(folder))
    seconds = std::max(seconds, std::atoll(file.filename().c_str() + kPrefix.size()) + 1);
  char host[256] = "";
  ::gethostname(host, sizeof host - 1);
  return std::string(kPrefix) + std::to_string(seconds) + "." + host + "." +
         std::to_string(::getpid()) + "." + std::to_string(counter++);
}

Message plugin(const std::string& name, const Message& content, int data_class) {
  Message data;
  data.bytes(1, name);
  if (!content.bytes().empty()) data.message(2, content);
  Message metadata;
  metadata.message(1, data);
  if (data_class != 0) metadata.integer(4, data_class);
  return metadata;
}

/// The hparams plugin reads the metadata; the tensor is there because readers ask for one.
Message hparams_value(const std::string& tag, const Message& content) {
  Message shape;
  shape.message(2, Message().integer(1, 1));
  Message zero;
  zero.integer(tensor::kDtype, tensor::kFloat)
      .message(tensor::kShape, shape)
      .bytes(tensor::kContent, std::string(sizeof(float), '\0'));
  Message value;
  value.bytes(value::kTag, tag)
      .message(value::kMetadata, plugin("hparams", content, 0))
      .message(value::kTensor, zero);
  return value;
}

struct EventFacts {
  std::int64_t step = 0;
  bool header = false, run_end = false;
};

EventFacts facts_of(std::string_view data) {
  EventFacts facts;
  while (auto field = take_field(data)) {
    if (field->number == event::kStep) facts.step = static_cast<std::int64_t>(field->integer);
    if (field->number == event::kFileVersion) facts.header = true;
    if (field->number == event::kSummary)
      facts.run_end = field->bytes.find(kSessionEnd) != std::string_view::npos;
  }
  return facts;
}

std::string broken_end(const fs::path& file, std::string_view text, std::string_view rest) {
  return fmt::format(
      "{}: bytes {} to {}: are no whole records: the writer was killed, or the file is damaged",
      file.string(), text.size() - rest.size(), text.size() - 1);
}

}  // namespace

struct EventWriter::State {
  std::string path;
  Descriptor file;
  std::string buffer;

  void write_out() {
    file.write_whole(buffer.data(), buffer.size());
    buffer.clear();
  }
  void write(Message event) {
    buffer += framed(event.real(event::kWallTime, now()).bytes());
    if (buffer.size() < kBufferBytes) return;
    try {
      write_out();
    } catch (const DataError&) {  // kept; `flush` is where it is told
    }
  }
  void summarise(const Message& value, std::int64_t step) {
    Message summary;
    summary.message(1, value);
    write(Message().integer(event::kStep, step).message(event::kSummary, summary));
  }
};

EventWriter::EventWriter(const std::string& folder) : state_(std::make_unique<State>()) {
  state_->path = (fs::path(folder) / new_file_name(folder)).string();
  state_->file = Descriptor(state_->path, Descriptor::Mode::kCreateNew);
  state_->write(Message().bytes(event::kFileVersion, "brain.Event:2"));
  state_->write_out();
}

EventWriter::~EventWriter() {
  try {
    if (state_) state_->write_out();
  } catch (...) {  // `flush` is where a full disk is told
  }
}

const std::string& EventWriter::path() const { return state_->path; }

void EventWriter::flush() {
  state_->write_out();
  state_->file.sync();
}

void EventWriter::scalar(const std::string& tag, double number, std::int64_t step) {
  state_->summarise(
      Message().bytes(value::kTag, tag).real32(value::kSimple, static_cast<float>(number)), step);
}

void EventWriter::histogram(const std::string& tag, std::span<const float> values,
                            std::int64_t step) {
  std::vector<double> kept;
  for (float v : values)
    if (std::isfinite(v)) kept.push_back(v);
  if (kept.empty()) return;
  auto [least, most] = std::minmax_element(kept.begin(), kept.end());
  const double low = *least, width = (*most - low) / 30;
  std::vector<double> limits(width > 0 ? 30 : 1, *most), counts(limits.size(), 0);
  for (std::size_t i = 0; i + 1 < limits.size(); ++i)
    limits[i] = low + width * static_cast<double>(i + 1);
  double sum = 0, squares = 0;
  for (double v : kept) {
    std::size_t bucket = width > 0 ? static_cast<std::size_t>((v - low) / width) : 0;
    ++counts[std::min(bucket, counts.size() - 1)];
    sum += v;
    squares += v * v;
  }
  Message histogram;
  histogram.real(1, low)
      .real(2, *most)
      .real(3, static_cast<double>(kept.size()))
      .real(4, sum)
      .real(5, squares)
      .packed(6, limits)
      .packed(7, counts);
  state_->summarise(Message().bytes(value::kTag, tag).message(value::kHistogram, histogram), step);
}

void EventWriter::image(const std::string& tag, const Image& image, std::int64_t step) {
  Message picture;
  picture.integer(1, image.height)
      .integer(2, image.width)
      .integer(3, 3)
      .bytes(4, encode_png(image));
  state_->summarise(Message().bytes(value::kTag, tag).message(value::kImage, picture), step);
}

void EventWriter::text(const std::string& tag, const std::string& markdown, std::int64_t step) {
  Message text;  // without dimensions: an array would be shown as a table
  text.integer(tensor::kDtype, tensor::kString)
      .message(tensor::kShape, {})
      .bytes(tensor::kStrings, markdown);
  state_->summarise(Message()
                        .bytes(value::kTag, tag)
                        .message(value::kMetadata, plugin("text", {}, 2))
                        .message(value::kTensor, text),
                    step);
}

void EventWriter::hparams(const std::map<std::string, HParam>& settings,
                          const std::vector<std::string>& metric_tags) {
  Message experiment, start;
  for (const auto& [name, setting] : settings) {
    constexpr int kTypes[] = {3, 1, 2};  // DataType of double, string, bool
    experiment.message(4, Message().bytes(1, name).integer(4, kTypes[setting.index()]));
    Message json;  // google.protobuf.Value
    if (const auto* number = std::get_if<double>(&setting)) json.real(2, *number);
    if (const auto* text = std::get_if<std::string>(&setting)) json.bytes(3, *text);
    if (const auto* truth = std::get_if<bool>(&setting)) json.integer(4, *truth);
    start.message(1, Message().bytes(1, name).message(2, json));
  }
  for (const std::string& tag : metric_tags)
    experiment.message(5, Message().message(1, Message().bytes(2, tag)));
  experiment.real(3, now());
  start.real(5, now());
  state_->summarise(hparams_value("_hparams_/experiment", Message().message(2, experiment)), 0);
  state_->summarise(hparams_value("_hparams_/session_start_info", Message().message(3, start)), 0);
}

void EventWriter::hparams_end(bool success) {
  Message end;
  end.integer(1, success ? 1 : 2).real(2, now());
  state_->summarise(hparams_value(kSessionEnd, Message().message(4, end)), 0);
}

void EventWriter::restart_at(std::int64_t step) {
  for (int i = 0; i < 2; ++i)
    state_->write(
        Message().integer(event::kStep, step).message(event::kSessionLog, Message().integer(1, 1)));
}

void EventWriter::drop_from(const fs::path& folder, std::int64_t step) {
  for (const fs::path& file : event_files(folder)) {
    std::string text = read_text(file), kept;
    std::string_view rest = text;
    while (auto data = take_record(rest)) {
      EventFacts facts = facts_of(*data);
      if (facts.header || (facts.step < step && !facts.run_end)) kept += framed(*data);
    }
    if (!rest.empty()) log::warn("{}; they are dropped", broken_end(file, text, rest));
    if (kept != text) write_text_atomically(file, kept);
  }
}

std::vector<std::string> EventWriter::damage(const fs::path& folder) {
  std::vector<std::string> problems;
  for (const fs::path& file : event_files(folder)) {
    const std::string text = read_text(file);
    std::string_view rest = text;
    while (take_record(rest)) {
    }
    if (!rest.empty()) problems.push_back(broken_end(file, text, rest));
    if (text.empty()) problems.push_back(file.string() + ": byte 0: is cut short: no header");
  }
  return problems;
}

}  // namespace cellmill::io
