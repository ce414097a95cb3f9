#pragma once
// TensorBoard event files: TFRecord framing (masked CRC-32C) around Event protocol buffers, encoded
// here because libtorch exports protobuf symbols and no other copy may be linked. One writer, one
// file, one thread. Every tag is plain: no sub-runs. Format: tensorflow/core/util/event.proto,
// framework/summary.proto, tensorboard/plugins/hparams/plugin_data.proto.
//
// A run that goes on from a checkpoint of step S calls, in this order, `EventWriter::drop_from(
// folder, S + 1)`, the constructor, and `restart_at(S + 1)`. The first rewrites what lies on disk,
// so that every reader sees each step once; the last is for a TensorBoard that is open all the
// while and has the dropped events in memory.
#include <cstdint>
#include <filesystem>
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
  /// SECONDS is above that of every event file there (whatever the clocks of other hosts say):
  /// TensorBoard reads a folder's files in the order of their names.
  explicit EventWriter(const std::string& folder);
  ~EventWriter();  ///< writes what is buffered, silently
  void scalar(const std::string& tag, double value, std::int64_t step);  ///< kept as float32
  /// 30 equal buckets, TensorBoard's own default. What is not finite is left out; if nothing is
  /// left, nothing is written.
  void histogram(const std::string& tag, std::span<const float> values, std::int64_t step);
  void image(const std::string& tag, const Image& image, std::int64_t step);
  void text(const std::string& tag, const std::string& markdown, std::int64_t step);
  /// The hparams tab: a run's settings, and which scalar tags are its results. TensorBoard keeps
  /// the first of a folder: a resumed run need not write it again.
  void hparams(const std::map<std::string, HParam>& settings,
               const std::vector<std::string>& metric_tags);
  /// Only when the run will not go on; `drop_from` takes it away again.
  void hparams_end(bool success);
  /// Tells TensorBoard to drop what it has read of this folder at `step` and after (SessionLog
  /// START). Two of them are written: TensorBoard takes the first that it meets as a beginning, and
  /// purges from the second on; so this works in the same file and in a later one.
  void restart_at(std::int64_t step);
  /// Data synced. What the system refused before is kept and written here; throws if it still does.
  void flush();
  const std::string& path() const;

  /// Rewrites, atomically each, the event files of `folder` without the summaries at `step` and
  /// after, without the mark of a run's end, and (with a warning) without what comes after the last
  /// whole record. No folder, no files: nothing happens.
  static void drop_from(const std::filesystem::path& folder, std::int64_t step);
  /// "FILE: bytes: what" of each event file of `folder` that does not end with a whole record.
  static std::vector<std::string> damage(const std::filesystem::path& folder);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cellmill::io
