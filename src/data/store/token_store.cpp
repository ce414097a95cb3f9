#include "data/store/token_store.h"

#include <algorithm>
#include <span>

#include "base/error.h"
#include "base/format.h"
#include "io/hdf5.h"

namespace cellmill::data {

namespace fs = std::filesystem;

namespace {

constexpr const char* kFormat = "cellmill-tokens-1";
constexpr const char* kAgain = "copy the file again, or run cellmill tokenize once more";
constexpr const char* kOther =
    "copy the file again, or run cellmill tokenize once more; an .h5 of 10x Genomics is no token "
    "store (scanpy.read_10x_h5 reads it, write_h5ad writes what cellmill takes)";
constexpr std::int64_t kPiece = 4 << 20;  // tokens

std::string categories_of(std::size_t field) { return "/categories/" + std::to_string(field); }

void write_labels(io::H5File& file, const std::vector<Field>& fields,
                  const std::vector<std::int32_t>& labels, std::int64_t cells) {
  std::vector<std::string> names;
  for (const Field& field : fields) {
    file.write_strings(categories_of(names.size()), field.categories);
    names.push_back(field.name);
  }
  file.write_strings("/fields", names);
  file.write<std::int32_t>("/labels", labels, {cells, static_cast<std::int64_t>(fields.size())});
}

/// From the file where they wait.
void copy_tokens(io::H5File& file, const fs::path& from, std::int64_t tokens) {
  const io::Descriptor waiting(from, io::Descriptor::Mode::kRead);
  file.reserve<std::int32_t>("/tokens", {tokens});
  std::vector<std::int32_t> piece;
  for (std::int64_t begin = 0; begin < tokens; begin += kPiece) {
    piece.resize(static_cast<std::size_t>(std::min(kPiece, tokens - begin)));
    const std::size_t bytes = piece.size() * sizeof(std::int32_t);
    if (waiting.read_at(piece.data(), bytes, static_cast<std::uint64_t>(begin) * 4) != bytes)
      throw DataError({from.string(), {}, {}, {}}, "became shorter while it was read", {},
                      Exit::kIo);
    file.write_range<std::int32_t>("/tokens", begin, piece);
  }
}

}  // namespace

bool is_token_store(const std::string& path) { return path.ends_with(".h5"); }

TokenStoreWriter::TokenStoreWriter(const fs::path& path, TokenFacts facts)
    : path_(path),
      waiting_path_(path.string() + ".waiting"),
      facts_(std::move(facts)),
      waiting_(waiting_path_, io::Descriptor::Mode::kCreateNew) {}

TokenStoreWriter::~TokenStoreWriter() {
  std::error_code ignored;
  fs::remove(waiting_path_, ignored);
}

void TokenStoreWriter::add(const Sequences& cells, const std::vector<std::int32_t>& labels,
                           const std::vector<std::string>& names) {
  waiting_.write_whole(cells.tokens.data(), cells.tokens.size() * sizeof(std::int32_t));
  const std::int64_t held = tokens();
  for (std::int64_t cell = 1; cell <= cells.size(); ++cell)
    offsets_.push_back(held + cells.offsets[static_cast<std::size_t>(cell)]);
  labels_.insert(labels_.end(), labels.begin(), labels.end());
  names_.insert(names_.end(), names.begin(), names.end());
}

void TokenStoreWriter::finish() {
  waiting_.close();
  io::H5File file = io::H5File::create(path_.string());
  file.set_attribute("/", "format", std::string(kFormat));
  file.set_attribute("/", "max_length", facts_.options.max_length);
  file.set_bool_attribute("/", "special_tokens", facts_.options.special_tokens);
  file.set_attribute("/", "origin", facts_.origin);
  file.write_string("/dictionary", text_of(facts_.dictionary));
  write_labels(file, facts_.fields, labels_, cells());
  if (!names_.empty()) file.write_strings("/cells", names_);
  file.write<std::int64_t>("/offsets", offsets_, {static_cast<std::int64_t>(offsets_.size())});
  copy_tokens(file, waiting_path_, tokens());
  io::Bulk bulk;
  if (tokens() > 0) {
    bulk.begin = file.byte_offset("/tokens");
    bulk.end = bulk.begin + static_cast<std::uint64_t>(tokens()) * sizeof(std::int32_t);
  }
  file.close();
  io::seal_file(path_, bulk);
}

TokenStore::TokenStore(const fs::path& path, bool verify) : file_(path, verify, kOther) {
  const auto wrong = [&](const std::string& where, const std::string& what,
                         const std::string& expected, const std::string& found) {
    return DataError({path.string(), where, expected, found}, what, kAgain);
  };
  const io::H5File file = io::H5File::open(path.string());
  const std::string format =
      file.has_attribute("/", "format") ? file.string_attribute("/", "format") : "none";
  if (format != kFormat) throw wrong("attribute format", "is no token store", kFormat, format);
  facts_.options = {file.int_attribute("/", "max_length"),
                    file.int_attribute("/", "special_tokens") != 0};
  facts_.origin = file.string_attribute("/", "origin");
  facts_.dictionary =
      parse_gene_dictionary(file.read_string("/dictionary"), path.string() + ": /dictionary");
  for (const std::string& name : file.read_strings("/fields"))
    facts_.fields.push_back({name, file.read_strings(categories_of(facts_.fields.size()))});
  offsets_ = file.read<std::int64_t>("/offsets");
  // Digests hold for a store that was damaged, not for one that was made to lead out of its tokens.
  const auto shape = file.shape("/tokens");
  if (offsets_.empty() || offsets_.front() != 0 ||
      !std::is_sorted(offsets_.begin(), offsets_.end()) ||
      shape != std::vector<std::int64_t>{offsets_.back()} ||
      (tokens() > 0 && (file.type("/tokens") != io::H5Type::kInt32 ||
                        file.byte_offset("/tokens") != file_.bulk().begin ||
                        file_.bulk().end - file_.bulk().begin !=
                            static_cast<std::uint64_t>(tokens()) * sizeof(std::int32_t))))
    throw wrong("/offsets", "cells and tokens do not agree",
                fmt::format("rising from 0 to {}, the number of tokens", fmt::join(shape, " x ")),
                "others");
  if (facts_.options.special_tokens && facts_.dictionary.cls < 0)
    throw wrong("/dictionary", "lacks a token", "<cls> and <eos>", "none");
  labels_ = file.read<std::int32_t>("/labels");
  const auto fields = facts_.fields.size();
  if (labels_.size() != static_cast<std::size_t>(cells()) * fields)
    throw wrong("/labels", "another number of labels",
                fmt::format("{} x {}", cells(), facts_.fields.size()),
                fmt::format("{} of them", labels_.size()));
  for (std::size_t i = 0; i < labels_.size(); ++i)
    if (const auto categories = std::ssize(facts_.fields[i % fields].categories);
        labels_[i] < kMissing || labels_[i] >= categories)
      throw wrong(fmt::format("/labels, row {}, column {}", i / fields, i % fields),
                  "a code out of range", fmt::format("-1 to {}", categories - 1),
                  std::to_string(labels_[i]));
  if (file.exists("/cells")) names_ = file.read_strings("/cells");
  if (!names_.empty() && std::ssize(names_) != cells())
    throw wrong("/cells", "another number of names", fmt::format("{}", cells()),
                fmt::format("{}", names_.size()));
}

std::uint64_t TokenStore::place(std::int64_t cell) const {
  return file_.bulk().begin + static_cast<std::uint64_t>(offsets_[static_cast<std::size_t>(cell)]) *
                                  sizeof(std::int32_t);
}

void TokenStore::read(std::int64_t begin, std::int64_t end, Sequences& sequences) const {
  const auto held = static_cast<std::int64_t>(sequences.tokens.size());
  const auto first = offsets_[static_cast<std::size_t>(begin)];
  const auto count = static_cast<std::size_t>(offsets_[static_cast<std::size_t>(end)] - first);
  sequences.tokens.resize(static_cast<std::size_t>(held) + count);
  file_.read(sequences.tokens.data() + held, count * sizeof(std::int32_t), place(begin));
  for (auto cell = begin; cell < end; ++cell)
    sequences.offsets.push_back(held + offsets_[static_cast<std::size_t>(cell) + 1] - first);
}

void TokenStore::expect(std::int64_t begin, std::int64_t end) const {
  file_.file().expect(place(begin), place(end) - place(begin));
}

}  // namespace cellmill::data
