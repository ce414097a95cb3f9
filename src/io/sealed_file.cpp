#include "io/sealed_file.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/format.h"
#include "io/digest.h"
#include "io/little_endian.h"
#include "io/sealed.h"
#include "io/strict_json.h"

namespace cellmill::io {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kMagic = "CMSEALED";
constexpr std::uint64_t kFooter = 16;

}  // namespace

void seal_file(const fs::path& path, const Bulk& bulk) {
  const BlockDigests digests = digest_blocks(path);
  const Json json{
      {"bytes", digests.bytes}, {"bulk", {bulk.begin, bulk.end}}, {"blocks", digests.blocks}};
  std::string end = sealed_json(json.dump());
  put<std::uint64_t>(end, end.size());
  end += kMagic;
  Descriptor file(path, Descriptor::Mode::kAppend);
  file.write_whole(end.data(), end.size());
  file.sync();
  file.close();
}

SealedFile::SealedFile(const fs::path& path, bool verify, std::string hint)
    : file_(path, Descriptor::Mode::kRead), verify_(verify), hint_(std::move(hint)) {
  read_end();
  holds_ = std::make_unique<std::atomic<bool>[]>(digests_.blocks.size());
  this->verify(0, bulk_.begin);
  this->verify(bulk_.end, digests_.bytes);
}

void SealedFile::read_end() {
  const std::uint64_t size = file_.size();
  const auto wrong = [&](std::uint64_t from, const std::string& what, const std::string& found) {
    return DataError({file_.path().string(), fmt::format("bytes {} to {}", from, size),
                      "digests of all blocks at the end", found},
                     what, hint_);
  };
  char footer[kFooter] = {};
  if (size > kFooter) file_.read_at(footer, kFooter, size - kFooter);
  const auto length = take<std::uint64_t>(footer);
  if (std::string_view(footer + 8, 8) != kMagic || length > size - kFooter)
    throw wrong(size > kFooter ? size - kFooter : 0, "is cut short or damaged at its end", "none");
  std::string text(length, '\0');
  const std::uint64_t begin = size - kFooter - length;
  file_.read_at(text.data(), length, begin);
  const auto json = nlohmann::json::parse(text, &shallow<nlohmann::json>, false);
  if (seal_of_json(text) != Seal::kHolds) throw wrong(begin, "is damaged", "another digest");
  try {
    digests_.bytes = whole<std::uint64_t>(json.at("bytes"));
    digests_.blocks = json.at("blocks").get<std::vector<std::string>>();
    bulk_ = {whole<std::uint64_t>(json.at("bulk").at(0)),
             whole<std::uint64_t>(json.at("bulk").at(1))};
  } catch (const nlohmann::json::exception& error) {
    throw wrong(begin, "is damaged", error.what());
  }
  if (digests_.bytes != begin || bulk_.begin > bulk_.end || bulk_.end > begin ||
      digests_.blocks.size() != (begin + kBlockBytes - 1) / kBlockBytes)
    throw wrong(begin, "is damaged", fmt::format("those of {} bytes", digests_.bytes));
}

void SealedFile::verify() const { verify(0, digests_.bytes); }

void SealedFile::verify(std::uint64_t begin, std::uint64_t end) const {
  if (!verify_ || begin >= end) return;
  for (std::uint64_t block = begin / kBlockBytes; block * kBlockBytes < end; ++block)
    if (!holds_[block].load(std::memory_order_relaxed)) verify_block(block);
}

void SealedFile::verify_block(std::uint64_t block) const {
  const std::uint64_t begin = block * kBlockBytes;
  const std::uint64_t size = std::min(kBlockBytes, digests_.bytes - begin);
  std::vector<char> bytes(size);
  file_.read_at(bytes.data(), size, begin);
  if (const std::string found = digest(bytes.data(), size); found != digests_.blocks[block])
    throw DataError({file_.path().string(), fmt::format("bytes {} to {}", begin, begin + size - 1),
                     "digest " + digests_.blocks[block], found},
                    "is damaged", hint_);
  holds_[block].store(true, std::memory_order_relaxed);
}

void SealedFile::read(void* to, std::size_t size, std::uint64_t at) const {
  if (size == 0) return;
  if (at > digests_.bytes || size > digests_.bytes - at)
    throw DataError({file_.path().string(),
                     fmt::format("bytes {} to {}", at, at + size),
                     fmt::format("within {}", digests_.bytes),
                     {}},
                    "leads out of the file", hint_);
  verify(at, at + size);
  if (file_.read_at(to, size, at) != size)
    throw DataError({file_.path().string(), fmt::format("byte {}", at), {}, {}},
                    "the file became shorter since it was opened", hint_);
}

}  // namespace cellmill::io
