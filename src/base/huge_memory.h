#pragma once
// Memory for large buffers, of 2 MB pages where the system gives them, and kept for the next buffer
// of its size when it is given back: a fresh 4 kB page costs the time of copying 25 kB. What was
// taken at once at most is what is held, until `release_huge`. Thread-safe.
#include <cstddef>

namespace cellmill {

/// Aligned to 64 bytes; sizes are rounded up by an eighth at most. Throws std::bad_alloc.
void* take_huge(std::size_t bytes);
/// `bytes` as asked for.
void give_huge(void* memory, std::size_t bytes) noexcept;
/// The pages of what is given back go to the system: after work whose buffers are not needed again.
void release_huge() noexcept;

/// From here on, huge memory is used by UnsetVector.
inline constexpr std::size_t kHugeFrom = std::size_t{128} << 10;

}  // namespace cellmill
