#pragma once
// What a process of a run ran on, for its sessions.jsonl: versions, hosts, devices, when.
#include "comm/world.h"
#include "io/json.h"

namespace cellmill::train {

/// Collective; the same on all ranks.
io::Json describe_session(comm::World& world);

}  // namespace cellmill::train
