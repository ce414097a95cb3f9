#pragma once
// Settings of every type, with checks and a rule, for the targets of run files and of --set.
#include "../unit/config/sample.h"
#include "config/show.h"
#include "fuzz.h"

namespace cellmill::fuzz {

/// What is taken, is shown as a file that reads back to the same.
inline void read_settings(const config::Layers& layers) {
  accepted([&] {
    sample::Run run;
    config::read(run, layers);
    const std::string shown = config::dump(run);
    sample::Run again;
    config::read(again, {{{"shown.yaml", shown}}, {}});
    require(config::dump(again) == shown);
  });
}

}  // namespace cellmill::fuzz
