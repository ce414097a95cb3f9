#pragma once
// memcpy past the caches, for what nobody reads soon: it saves reading the target's lines first,
// a third of the memory traffic. AVX where the processor has it, plain memcpy elsewhere.
#include <cstddef>

namespace cellmill::data {

/// As std::memcpy, also in what other threads see after a lock.
void stream_copy(void* to, const void* from, std::size_t bytes);

}  // namespace cellmill::data
