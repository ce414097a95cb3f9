#pragma once
// Options of every type, as a run file might have them.
#include "base/error.h"
#include "config/read.h"

namespace sample {

using namespace cellmill;

struct Loader {
  std::int64_t prefetch_chunks = 2;
  std::int64_t threads = 1;
  std::string order = "mixed";
};
inline void describe(config::Schema& s, Loader& o) {
  s.field("prefetch_chunks", o.prefetch_chunks, "chunks decoded ahead", config::at_least(1));
  s.field("threads", o.threads, "background threads", config::between(1, 64));
  s.field("order", o.order, "order of cells", config::one_of({"mixed", "chunk"}));
}

struct Data {
  std::string path;
  std::vector<std::string> fields;
  std::vector<std::int64_t> chunks;
  Loader loader;
};
inline void describe(config::Schema& s, Data& o) {
  s.field("path", o.path, "folder of chunks");
  s.field("fields", o.fields, "conditioning fields");
  s.field("chunks", o.chunks, "chunks held out", config::not_negative());
  s.section("loader", o.loader, "reading ahead");
}

struct Train {
  std::uint64_t seed = 0;
  double rate = 1e-3;
  bool resume = false;
  std::int64_t steps = 100;
  std::int64_t warmup = 0;
  std::vector<double> betas = {0.9, 0.999};
  std::map<std::string, std::string> rename;
};
inline void describe(config::Schema& s, Train& o) {
  s.field("seed", o.seed, "of everything random");
  s.field("rate", o.rate, "learning rate", config::positive());
  s.field("resume", o.resume, "go on from the newest checkpoint");
  s.field("steps", o.steps, "steps in all", config::at_least(1));
  s.field("warmup", o.warmup, "steps of rising rate", config::not_negative());
  s.field("betas", o.betas, "of Adam", config::below_one());
  s.field("rename", o.rename, "field to new name");
  s.rule([&] {
    return o.warmup > o.steps ? "warmup (" + std::to_string(o.warmup) +
                                    ") must not exceed steps (" + std::to_string(o.steps) + ")"
                              : std::string();
  });
}

struct Run {
  std::string output = "runs/one";
  Data data;
  Train train;
};
inline void describe(config::Schema& s, Run& o) {
  s.field("output", o.output, "run folder", config::not_empty());
  s.section("data", o.data, "what to read");
  s.section("train", o.train, "how to train");
}

inline Run read(const std::string& yaml, const std::vector<std::string>& settings = {}) {
  Run run;
  config::read(run, {{{"run.yaml", yaml}}, settings});
  return run;
}

/// The error's text, hint included, or "accepted".
inline std::string refusal(const std::string& yaml, const std::vector<std::string>& settings = {}) {
  try {
    read(yaml, settings);
  } catch (const UsageError& e) {
    return e.code() == Exit::kConfig ? e.text() : "wrong exit code";
  }
  return "accepted";
}

}  // namespace sample
