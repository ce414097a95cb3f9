#include "train/reproducible.h"

#include <ATen/Parallel.h>

#include "base/error.h"

namespace cellmill::train {

PassOptions pass_options(const LoopOptions& o) {
  PassOptions passes;
  if (o.across_world_sizes())
    passes.micro_shards = o.micro_shards;
  else
    passes.cells_at_once = o.cells_at_once;
  return passes;
}

void set_reproducible(const RunOptions& o, c10::Device device) {
  if (o.train.threads > 0) at::set_num_threads(static_cast<int>(o.train.threads));
  if (!o.train.across_world_sizes()) return;
  if (o.train.threads == 0) at::set_num_threads(1);
  const auto refuse = [](const std::string& setting, const std::string& hint) {
    throw UsageError("train.deterministic: across_world_sizes does not go with " + setting, hint,
                     Exit::kConfig);
  };
  if (!device.is_cpu())
    refuse("a GPU", "set train.device=cpu, or train.deterministic=same_world_size");
  if (o.optimizer.shard) refuse("optimizer.shard", "set optimizer.shard=false");
  if (o.optimizer.overlap == "on") refuse("optimizer.overlap: on", "set optimizer.overlap=off");
  if (o.train.cells_at_once > 0)
    refuse("train.cells_at_once", "a pass takes a micro-shard: raise train.micro_shards instead");
}

}  // namespace cellmill::train
