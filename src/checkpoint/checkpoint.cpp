#include "checkpoint/checkpoint.h"

#include "base/error.h"
#include "base/format.h"
#include "checkpoint/folder.h"
#include "checkpoint/manifest.h"
#include "checkpoint/state_file.h"
#include "io/descriptor.h"
#include "io/files.h"

namespace cellmill::checkpoint {
namespace {

void require_space(const fs::path& folder, std::uint64_t needed) {
  const std::uint64_t free = io::free_bytes(folder);
  if (needed > free)
    throw DataError({folder.string(), "", fmt::format("{} bytes free", needed),
                     fmt::format("{} bytes free", free)},
                    "has no room for a checkpoint", "free some space, or keep fewer checkpoints",
                    Exit::kIo);
}

void fill(const fs::path& temporary, std::int64_t step, const State& state) {
  Manifest manifest;
  manifest.step = step;
  write_state(temporary / kStateFile, state, manifest.tensors);
  manifest.content = io::digest_blocks(temporary / kStateFile);
  const std::string text = manifest_text(manifest);
  io::Descriptor file(temporary / kManifestFile, io::Descriptor::Mode::kCreateNew);
  file.write(text.data(), text.size());
  file.close();
}

/// The manifest, after everything that can be checked without HDF5.
Manifest require_whole(const fs::path& checkpoint) {
  const Manifest manifest = read_manifest(checkpoint);
  verify_file(checkpoint / kStateFile, manifest);
  return manifest;
}

}  // namespace

fs::path save(const fs::path& folder, std::int64_t step, const State& state) {
  check_storable(state);
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) io::throw_system_error(folder, "make", failed.value());
  require_space(folder, bytes_needed(state));
  const fs::path target = place_of(folder, step);
  if (!fs::exists(target)) {
    io::publish_folder(target, [&](const fs::path& temporary) { fill(temporary, step, state); });
    return target;
  }
  // A run that was resumed from before `step` comes by again: the new one is whole on disk before
  // the old one goes.
  const fs::path fresh = folder / (io::kUnfinished + ("again-" + target.filename().string()));
  remove_folder(fresh);
  io::publish_folder(fresh, [&](const fs::path& temporary) { fill(temporary, step, state); });
  exchange(fresh, target);
  io::sync_folder(folder);
  remove_folder(fresh);
  return target;
}

State load(const fs::path& checkpoint) {
  const Manifest manifest = require_whole(checkpoint);
  return read_state(checkpoint / kStateFile, manifest.tensors, true);
}

void verify(const fs::path& checkpoint) {
  const Manifest manifest = require_whole(checkpoint);
  read_state(checkpoint / kStateFile, manifest.tensors, false);
}

}  // namespace cellmill::checkpoint
