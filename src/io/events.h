#pragma once
// TensorBoard event files: TFRecord framing (masked CRC-32C) around Event protocol buffers, encoded
// here because libtorch exports protobuf symbols and no other copy may be linked. One writer, one
// file, one thread. Every tag is plain: no sub-runs. Format: tensorflow/core/util/event.proto,
// framework/summary.proto, tensorboard/plugins/hparams/plugin_data.proto.
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace cellmill::io {

struct Image {
  std::int64_t width = 0, height = 0;
  std::vector<std::uint8_t> rgb;  ///< [height, width, 3]
};
std::string encode_png(const Image& image);

using HParam = std::variant<double, std::string, bool>;

class EventWriter {
 public:
  /// Creates events.out.tfevents.SECONDS.HOST.PID.N in `folder` with the "brain.Event:2" record.
  explicit EventWriter(const std::string& folder);
  ~EventWriter();
  void scalar(const std::string& tag, double value, std::int64_t step);
  /// Buckets as TensorBoard's own default; `values` may be empty (nothing is written).
  void histogram(const std::string& tag, std::span<const float> values, std::int64_t step);
  void image(const std::string& tag, const Image& image, std::int64_t step);
  void text(const std::string& tag, const std::string& markdown, std::int64_t step);
  /// The hparams tab: a run's settings, and which scalar tags are its results.
  void hparams(const std::map<std::string, HParam>& settings,
               const std::vector<std::string>& metric_tags);
  void hparams_end(bool success);
  /// Tells TensorBoard to drop what the run wrote at `step` and after (SessionLog START): a resumed
  /// run shows each step once.
  void restart_at(std::int64_t step);
  void flush();  ///< data synced
  const std::string& path() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cellmill::io
