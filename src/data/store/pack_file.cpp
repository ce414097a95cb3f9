#include "data/store/pack_file.h"

#include <algorithm>

#include "base/error.h"
#include "base/format.h"
#include "io/digest.h"
#include "io/files.h"
#include "io/hdf5_elements.h"

namespace cellmill::data {

namespace fs = std::filesystem;

namespace {

constexpr const char* kFormatName = "cellmill-pack-1";
constexpr const char* kNormalised = "log1p of counts per 10,000";
constexpr std::int64_t kReadBytes = 1 << 20, kMostCells = std::int64_t{1} << 48;
constexpr const char* kAgain = "copy the file again, or pack it anew";

std::string categories_of(std::size_t field) { return "/categories/" + std::to_string(field); }

void write_facts(io::H5File& file, const StoreFacts& store, const ShardFacts& shard) {
  file.set_attribute("/", "format", std::string(kFormatName));
  for (const auto& [name, value] : {std::pair{"cells", shard.cells},
                                    {"first_cell", shard.first_cell},
                                    {"entries", shard.entries},
                                    {"shard", shard.shard},
                                    {"shards", store.shards},
                                    {"store_cells", store.cells},
                                    {"block_rows", kBlockRows},
                                    {"seed", store.seed}})
    file.set_attribute("/", name, value);
  file.set_bool_attribute("/", "shuffled", store.shuffled);
  file.set_attribute("/", "values", std::string(store.normalised ? kNormalised : "as given"));
  file.set_attribute("/", "vocabulary", store.vocabulary_digest);
  std::vector<std::string> names, digests;
  std::vector<std::int64_t> bytes;
  for (const PackSourceFile& source : store.sources) {
    names.push_back(source.name);
    digests.push_back(source.digest);
    bytes.push_back(source.bytes);
  }
  file.write_strings("/sources/name", names);
  file.write<std::int64_t>("/sources/bytes", bytes, {static_cast<std::int64_t>(bytes.size())});
  file.write_strings("/sources/digest", digests);
}

void write_vocabulary(io::H5File& file, const Vocabulary& vocabulary) {
  file.write_strings("/genes", vocabulary.genes);
  std::vector<std::string> fields;
  for (const Field& field : vocabulary.fields) {
    file.write_strings(categories_of(fields.size()), field.categories);
    fields.push_back(field.name);
  }
  file.write_strings("/fields", fields);
}

/// Fills the place of /blocks, then the header: a file without it is no store.
void fill_in(const fs::path& path, PackHeader header, const BlockLog& blocks) {
  io::Descriptor to(path, io::Descriptor::Mode::kUpdate);
  const io::Descriptor from(blocks.path(), io::Descriptor::Mode::kRead);
  std::vector<char> piece(4 << 20);
  for (std::uint64_t at = 0; at < header.blocks_bytes;) {
    const std::size_t n = from.read_at(piece.data(), piece.size(), at);
    if (n == 0) throw InternalError(blocks.path().string() + " is shorter than its blocks");
    to.write_at(piece.data(), n, header.blocks_begin + at);
    at += n;
  }
  const io::Descriptor made(path, io::Descriptor::Mode::kRead);
  header.bytes = made.size();
  header.structure = structure_digest(made, header);
  const std::string text = header_text(header);
  to.write_at(text.data(), text.size(), 0);
  to.close();
}

}  // namespace

std::string digest_of(const Vocabulary& vocabulary) {
  io::Digester digester;
  const auto add = [&](const std::string& name) { digester.add(name.c_str(), name.size() + 1); };
  const auto add_all = [&](const std::vector<std::string>& names) {
    add(std::to_string(names.size()));
    for (const std::string& name : names) add(name);
  };
  add_all(vocabulary.genes);
  for (const Field& field : vocabulary.fields) {
    add(field.name);
    add_all(field.categories);
  }
  return digester.value();
}

void write_pack_file(const fs::path& target, const StoreFacts& store, const ShardFacts& shard,
                     const Vocabulary& vocabulary, const BlockLog& blocks) {
  io::publish_file(target, [&](const fs::path& temporary) {
    PackHeader header;
    io::H5File file = io::H5File::create(temporary.string(), kPackHeaderBytes);
    const auto& offsets = blocks.offsets();
    header.blocks_bytes = static_cast<std::uint64_t>(offsets.back());
    write_facts(file, store, shard);
    write_vocabulary(file, vocabulary);
    file.write<std::int64_t>("/block_offsets", offsets,
                             {static_cast<std::int64_t>(offsets.size())});
    header.blocks_begin = file.reserve_in_place("/blocks", offsets.back());
    file.close();
    fill_in(temporary, header, blocks);
  });
}

PackFile::PackFile(const fs::path& path)
    : file_(path, io::Descriptor::Mode::kRead), header_(check_header(file_)) {
  const io::H5File file = io::H5File::open(path.string());
  const auto number = [&](const char* name) { return file.int_attribute("/", name); };
  const std::string format = file.string_attribute("/", "format");
  if (format != kFormatName || number("block_rows") != kBlockRows)
    throw DataError({path.string(), "attribute format", kFormatName, format},
                    "is no store of a known format");
  shard_ = {number("shard"), number("first_cell"), number("cells"), number("entries")};
  store_ = {number("store_cells"),
            number("shards"),
            number("shuffled") != 0,
            number("seed"),
            file.string_attribute("/", "values") == kNormalised,
            file.string_attribute("/", "vocabulary"),
            {}};
  const auto names = file.read_strings("/sources/name");
  const auto bytes = file.read<std::int64_t>("/sources/bytes");
  const auto digests = file.read_strings("/sources/digest");
  if (bytes.size() != names.size() || digests.size() != names.size())
    throw DataError({path.string(), "/sources", fmt::format("{} of each", names.size()),
                     fmt::format("{} sizes and {} digests", bytes.size(), digests.size())},
                    "lists of different lengths", kAgain);
  for (std::size_t i = 0; i < names.size(); ++i)
    store_.sources.push_back({names[i], bytes[i], digests[i]});
  fields_ = static_cast<std::size_t>(io::length_of(file, "/fields"));
  offsets_ = file.read<std::int64_t>("/block_offsets");
  // Digests hold for a store that was damaged, not for one that was made to lead out of its blocks.
  if (shard_.cells < 0 || shard_.cells > kMostCells || offsets_.empty() ||
      blocks() != (shard_.cells + kBlockRows - 1) / kBlockRows || offsets_.front() != 0 ||
      !std::is_sorted(offsets_.begin(), offsets_.end()) ||
      offsets_.back() != static_cast<std::int64_t>(header_.blocks_bytes) ||
      file.byte_offset("/blocks") != header_.blocks_begin)
    throw DataError({path.string(), "/block_offsets",
                     fmt::format("places of the blocks of {} cells, rising from 0 to {}",
                                 shard_.cells, header_.blocks_bytes),
                     "others"},
                    "cells and blocks do not agree", kAgain);
}

Vocabulary PackFile::read_vocabulary() const {
  const io::H5File file = io::H5File::open(path().string());
  Vocabulary vocabulary{{}, file.read_strings("/genes")};
  const auto fields = file.read_strings("/fields");
  for (std::size_t f = 0; f < fields.size(); ++f)
    vocabulary.fields.push_back({fields[f], file.read_strings(categories_of(f))});
  return vocabulary;
}

std::int64_t PackFile::fetch(std::int64_t first, std::int64_t end,
                             std::vector<std::uint8_t>& bytes) const {
  std::int64_t last = first + 1;
  while (last < end && offsets_[last + 1] - offsets_[first] <= kReadBytes) ++last;
  const auto size = static_cast<std::size_t>(offsets_[last] - offsets_[first]);
  if (bytes.size() < size) bytes.resize(size);
  const std::uint64_t at = header_.blocks_begin + static_cast<std::uint64_t>(offsets_[first]);
  if (file_.read_at(bytes.data(), size, at) != size)
    throw DataError({path().string(), fmt::format("block {}", first), {}, {}},
                    "the file became shorter since it was opened");
  return last;
}

BlockView PackFile::view(std::int64_t first, std::int64_t block,
                         const std::vector<std::uint8_t>& bytes, Digests digests) const {
  const auto begin = static_cast<std::size_t>(offsets_[block] - offsets_[first]);
  const auto size = static_cast<std::size_t>(offsets_[block + 1] - offsets_[block]);
  BlockView view({bytes.data() + begin, size}, fields_, {path(), static_cast<std::uint64_t>(block)},
                 digests);
  if (view.rows() != std::min(kBlockRows, shard_.cells - block * kBlockRows))
    throw DataError({path().string(), fmt::format("block {}", block), {}, {}},
                    "has another number of cells than the file says");
  return view;
}

void PackFile::expect(std::int64_t begin, std::int64_t end) const {
  const std::int64_t from = offsets_[begin / kBlockRows];
  const std::int64_t to = offsets_[(end + kBlockRows - 1) / kBlockRows];
  file_.expect(header_.blocks_begin + static_cast<std::uint64_t>(from),
               static_cast<std::uint64_t>(std::max(to - from, std::int64_t{0})));
}

std::int64_t PackFile::for_blocks(std::int64_t begin, std::int64_t end, Digests digests,
                                  const Visit& visit) const {
  if (begin == end) return 0;
  thread_local std::vector<std::uint8_t> bytes;
  const std::int64_t end_block = (end + kBlockRows - 1) / kBlockRows;
  for (std::int64_t first = begin / kBlockRows, next; first < end_block; first = next) {
    next = fetch(first, end_block, bytes);
    for (std::int64_t block = first; block < next; ++block)
      visit(view(first, block, bytes, digests), block * kBlockRows);
  }
  return offsets_[end_block] - offsets_[begin / kBlockRows];
}

std::int64_t PackFile::append(std::int64_t begin, std::int64_t end, Digests digests,
                              std::span<const LabelColumn> labels, Chunk& rows) const {
  return for_blocks(begin, end, digests, [&](const BlockView& block, std::int64_t first) {
    block.decode(std::max(begin - first, std::int64_t{0}), std::min(end - first, block.rows()),
                 labels, rows);
  });
}

void PackFile::for_each_block(const std::function<void(const BlockView&)>& visit) const {
  for_blocks(0, shard_.cells, Digests::kVerify,
             [&](const BlockView& block, std::int64_t) { visit(block); });
}

}  // namespace cellmill::data
