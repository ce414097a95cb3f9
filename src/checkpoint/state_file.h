#pragma once
// state.h5: /tensors/NAME, /texts/NAME, /numbers/NAME, /reals/NAME, /lists/NAME; a "/" in a name
// makes a group. Plain HDF5 that h5py opens.
#include "checkpoint/checkpoint.h"
#include "checkpoint/manifest.h"

namespace cellmill::checkpoint {

/// Throws InternalError for a tensor type or a name that the file cannot hold.
void check_storable(const State& state);
/// Upper bound of what `write_state` will need on disk.
std::uint64_t bytes_needed(const State& state);
/// Digests go into `entries`.
void write_state(const fs::path& file, const State& state,
                 std::map<std::string, TensorEntry>& entries);
/// Reads what is there and compares every tensor with its entry. Throws DataError with the tensor's
/// name. With `keep` false, one tensor is in memory at a time and the result is empty.
State read_state(const fs::path& file, const std::map<std::string, TensorEntry>& entries,
                 bool keep);

}  // namespace cellmill::checkpoint
