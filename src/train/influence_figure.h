#pragma once
// The figure of head influences: one bar a head (mean L2 norm), a whisker from the smallest to the
// largest, names and means as text.
#include <vector>

#include "io/events.h"
#include "train/recorder.h"

namespace cellmill::train {

io::Image influence_figure(const std::vector<HeadInfluence>& heads);

}  // namespace cellmill::train
