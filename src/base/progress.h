#pragma once
// How far a long phase has come. On a terminal one bar at the bottom, redrawn, with rate and time
// left; elsewhere a log line every few seconds. Only where the log speaks on the console (rank 0).
// The rate is that of the last half minute. One thread may use a Progress.
#include <cstdint>
#include <deque>
#include <string>
#include <utility>

#include "base/stopwatch.h"

namespace cellmill {

struct ProgressOptions {
  enum class Display { kAuto, kLines, kBar };
  std::string title;       ///< "training"
  std::int64_t total = 0;  ///< 0: not known, then no percentage and no time left
  std::string unit;        ///< "steps"
  std::int64_t start = 0;  ///< done before, as when a run is resumed
  double interval = 5;     ///< seconds between lines
  Display display = Display::kAuto;
};

class Progress {
 public:
  explicit Progress(ProgressOptions options);
  Progress(std::string title, std::int64_t total, std::string unit);
  ~Progress();  ///< takes the bar away
  Progress(const Progress&) = delete;
  /// Cheap enough for every step. `extra` is shown at the end: "loss 0.53".
  void update(std::int64_t done, const std::string& extra = {});
  /// A last line with the overall rate and time.
  void finish();

 private:
  double rate(double now) const;
  ProgressOptions options_;
  bool bar_, shown_;
  Stopwatch watch_;
  double last_shown_ = 0;
  std::int64_t done_;
  std::deque<std::pair<double, std::int64_t>> recent_;
};

/// What a progress line says; pure, for Progress and its tests.
struct ProgressView {
  std::string title, unit, extra;
  std::int64_t done = 0, total = 0;
  double rate = 0;  ///< units a second; 0: not known yet
};
/// "training: 1200 of 10000 steps (12%), 35.2 steps/s, 4:10 left, loss 0.53"
std::string progress_line(const ProgressView& view);
/// "training [###       ] 12% 1200/10000 steps, 35.2/s, 4:10 left, loss 0.53", cut to `width`.
std::string progress_bar(const ProgressView& view, std::size_t width);
/// "0:07", "4:10", "1:02:03", "2 d 3:00:00"
std::string duration_text(double seconds);
/// Three digits: "0.0123", "35.2", "1204".
std::string rate_text(double rate);

}  // namespace cellmill
