#pragma once
// Settings of every type and rule, for the targets of run files and of --set.
#include "../unit/config/sample.h"
#include "config/show.h"
#include "data/chunk_source.h"
#include "data/loader.h"
#include "data/split.h"
#include "fuzz.h"

namespace cellmill::fuzz {

struct Settings {
  sample::Run run;
  data::SourceOptions source;
  data::LoaderOptions loader;
  data::SplitOptions split;
};
inline void describe(config::Schema& s, Settings& o) {
  s.section("run", o.run);
  s.section("source", o.source);
  s.section("loader", o.loader);
  s.section("split", o.split);
}

/// What is taken, is shown as a file that reads back to the same.
inline void read_settings(const config::Layers& layers) {
  accepted([&] {
    Settings settings;
    config::read(settings, layers);
    const std::string shown = config::dump(settings);
    Settings again;
    config::read(again, {{{"shown.yaml", shown}}, {}});
    require(config::dump(again) == shown);
  });
}

}  // namespace cellmill::fuzz
