#pragma once
// What a run writes for people and plots, on rank 0: one line a point in metrics.jsonl, and
// TensorBoard scalars under "<split>/<name>" at the number of steps done. A resumed run first drops
// what the broken one wrote after the checkpoint, so that every step stands once. Everything is
// written in order by a thread of its own. What the system refuses (a full disk) is said, kept in
// memory and tried again with the next point; `flush` and `close` throw it.
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/background.h"
#include "io/events.h"
#include "io/files.h"
#include "io/json.h"

namespace cellmill::train {

/// Norms of one head's contribution over the validation cells.
struct HeadInfluence {
  std::string head;
  double mean = 0, low = 0, high = 0;
  std::vector<float> norms;  ///< of this rank's cells, for the histogram
};

class Recorder {
 public:
  /// Points of the folder at step `first` and after are dropped.
  Recorder(const std::filesystem::path& folder, std::int64_t first);
  /// `values` are functions of the run alone; `measured` (rates, seconds) differ from machine to
  /// machine.
  void point(std::int64_t step, std::int64_t epoch, const std::string& split,
             std::map<std::string, double> values, std::map<std::string, double> measured);
  /// Histograms, figure and table of head influences, and a line of influence.jsonl.
  void influence(std::int64_t step, std::vector<HeadInfluence> heads);
  /// A line of sessions.jsonl.
  void session(io::Json facts, std::int64_t step);
  void settings(const std::string& yaml, const std::map<std::string, io::HParam>& hparams,
                const std::vector<std::string>& metric_tags);
  void close(bool success);
  /// What was recorded is on disk. Any thread.
  void flush();

 private:
  void append(io::LineFile& file, const std::string& line);
  void append_to(const std::string& name, const io::Json& line);

  io::LineFile lines_;
  std::filesystem::path folder_;
  std::map<std::string, io::LineFile> others_;  // by name, opened when there is a line for them
  io::EventWriter events_;
  bool refused_ = false;  // the last line
  Background writer_;     // last: its work uses the files
};

}  // namespace cellmill::train
