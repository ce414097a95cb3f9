#include "data/store/block_log.h"

#include <optional>

#include "base/error.h"

namespace cellmill::data {

namespace fs = std::filesystem;

std::uint64_t scan_blocks(const fs::path& path, std::size_t fields,
                          const std::function<bool(const BlockView&)>& visit) {
  const io::Descriptor file(path, io::Descriptor::Mode::kRead);
  const std::uint64_t size = file.size();
  std::vector<std::uint8_t> bytes(kBlockHead);
  std::uint64_t at = 0;
  for (std::uint64_t block = 0; at + kBlockHead <= size; ++block) {
    file.read_at(bytes.data(), kBlockHead, at);
    const std::uint32_t wanted = block_bytes(bytes.data());
    if (wanted < kBlockHead || wanted > size - at) break;
    bytes.resize(std::max<std::size_t>(bytes.size(), wanted));
    file.read_at(bytes.data(), wanted, at);
    std::optional<BlockView> view;
    try {
      view.emplace(std::span(bytes.data(), wanted), fields, BlockView::Place{path, block},
                   Digests::kVerify);
    } catch (const DataError&) {
      break;
    }
    if (!visit(*view)) break;
    at += wanted;
  }
  return at;
}

BlockLog::BlockLog(fs::path path, std::size_t fields,
                   const std::function<bool(const BlockView&)>& found)
    : path_(std::move(path)), file_(path_, io::Descriptor::Mode::kAppend) {
  const std::uint64_t whole = scan_blocks(path_, fields, [&](const BlockView& block) {
    if (found && !found(block)) return false;
    ends_.push_back(ends_.back() + block.bytes());
    rows_.push_back(rows_.back() + block.rows());
    return true;
  });
  fs::resize_file(path_, whole);
}

void BlockLog::keep(std::uint64_t blocks) {
  ends_.resize(blocks + 1);
  rows_.resize(blocks + 1);
  fs::resize_file(path_, static_cast<std::uint64_t>(ends_.back()));
}

void BlockLog::append(const CodedRows& rows) {
  const auto block = make_block(rows, blocks());
  file_.write(block.data(), block.size());
  ends_.push_back(ends_.back() + static_cast<std::int64_t>(block.size()));
  rows_.push_back(rows_.back() + static_cast<std::int64_t>(rows.size()));
}

}  // namespace cellmill::data
