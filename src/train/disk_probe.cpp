#include "train/disk_probe.h"

#include <fcntl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <vector>

#include "base/format.h"
#include "base/stopwatch.h"
#include "io/files.h"

namespace cellmill::train {

namespace fs = std::filesystem;

double read_rate(const fs::path& path) {
  constexpr std::size_t kBlock = 8 << 20, kMost = 256 << 20, kLeast = 32 << 20;
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
  std::vector<char> block(kBlock);
  std::size_t bytes = 0;
  const Stopwatch watch;
  while (bytes < kMost) {
    const auto count = ::pread(file, block.data(), kBlock, static_cast<off_t>(bytes));
    if (count <= 0) break;
    bytes += static_cast<std::size_t>(count);
  }
  const double seconds = watch.seconds();
  ::close(file);
  return bytes < kLeast ? 0 : 1e-9 * static_cast<double>(bytes) / seconds;
}

DiskSpeed disk_speed(const fs::path& folder, std::int64_t bytes) {
  constexpr std::size_t kBlock = 4 << 20;
  DiskSpeed speed;
  std::vector<std::uint64_t> block(kBlock / 8);
  std::uint64_t state = 1;  // noise: some file systems compress
  for (auto& word : block) word = state = state * 6364136223846793005U + 1442695040888963407U;
  const fs::path large = folder / fmt::format("{}disk-probe-{}", io::kUnfinished, ::getpid());
  struct Gone {
    const fs::path& path;
    ~Gone() {
      std::error_code ignored;
      fs::remove(path, ignored);
    }
  } gone{large};
  {
    const Stopwatch watch;
    io::Descriptor file(large, io::Descriptor::Mode::kCreateNew);
    std::int64_t written = 0;
    for (; written < bytes; written += kBlock) file.write(block.data(), kBlock);
    file.sync();
    file.close();
    speed.write_gbs = 1e-9 * static_cast<double>(written) / watch.seconds();
  }
  speed.read_gbs = read_rate(large);
  std::vector<double> times;
  for (int k = 0; k < 5; ++k) {
    const Stopwatch watch;
    io::write_text_atomically(large, "probe\n");
    times.push_back(1e3 * watch.seconds());
  }
  std::sort(times.begin(), times.end());
  speed.save_ms = times[times.size() / 2];
  return speed;
}

std::string file_system_of(const fs::path& folder) {
  static const std::map<unsigned, const char*> known = {
      // linux/magic.h, lustre_user.h, statfs(2)
      {0xEF53, "ext4"},      {0x58465342, "xfs"},    {0x9123683E, "btrfs"},
      {0x01021994, "tmpfs"}, {0x6969, "nfs"},        {0x0BD00BD0, "lustre"},
      {0x47504653, "gpfs"},  {0x19830326, "beegfs"}, {0x794C7630, "overlay"},
      {0x65735546, "fuse"},  {0xFF534D42, "cifs"},   {0x2FC12FC1, "zfs"},
      {0x00C36400, "ceph"},  {0x5346544E, "ntfs"},   {0x01021997, "9p"},
      {0x858458F6, "ramfs"}};
  struct statfs found {};
  if (::statfs(folder.c_str(), &found) != 0) return "unknown";
  const auto type = static_cast<unsigned>(found.f_type);
  const auto name = known.find(type);
  return name == known.end() ? fmt::format("type {:#x}", type) : name->second;
}

}  // namespace cellmill::train
