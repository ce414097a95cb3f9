#pragma once
// Large tensors on the host take their memory from base/huge_memory.h, small ones from LibTorch's
// own allocator: the C library maps large blocks and gives them back at each free, and a step that
// frees the same matrices again and again would wait for fresh pages (25 kB of copying for each 4
// kB).

namespace cellmill::comm {

/// From here on, for all tensors of the process. run_world calls it.
void keep_host_memory();

}  // namespace cellmill::comm
