#include "data/store/pack_header.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/format.h"
#include "io/digest.h"
#include "io/strict_json.h"

namespace cellmill::data {
namespace {

const char* const kAgain = "copy the file again, or pack it anew";

DataError wrong(const io::Descriptor& file, const std::string& where, const std::string& expected,
                const std::string& found, const std::string& what, const char* hint = kAgain) {
  return DataError({file.path().string(), where, expected, found}, what, hint);
}

io::Json parsed(const io::Descriptor& file, const std::string& text) {
  io::Json json = io::Json::parse(text, nullptr, false);
  if (!json.is_object() || json.value("cellmill", io::Json()) != "pack")
    throw wrong(file, "bytes 0 to 511", "the header of a cellmill pack", "something else",
                "is no store, or its header is damaged");
  const io::Json format = json.value("format", io::Json());
  if (format.is_number_integer() && format > kPackFormat)
    throw wrong(file, "format", std::to_string(kPackFormat), format.dump(),
                "was written by a newer cellmill", "read it with the cellmill that wrote it");
  return json;
}

void add_range(io::Digester& digester, const io::Descriptor& file, std::uint64_t begin,
               std::uint64_t end) {
  std::vector<char> piece(std::min<std::uint64_t>(1 << 20, end - begin));
  while (begin < end) {
    const std::size_t n =
        file.read_at(piece.data(), std::min<std::uint64_t>(piece.size(), end - begin), begin);
    if (n == 0) return;
    digester.add(piece.data(), n);
    begin += n;
  }
}

}  // namespace

std::string header_text(const PackHeader& header) {
  io::Json json{{"cellmill", "pack"},
                {"format", kPackFormat},
                {"bytes", header.bytes},
                {"blocks", {header.blocks_begin, header.blocks_bytes}},
                {"structure", header.structure}};
  json["seal"] = io::digest(json.dump());
  std::string text = json.dump();
  text.resize(kPackHeaderBytes - 1, ' ');
  return text + "\n";
}

std::string structure_digest(const io::Descriptor& file, const PackHeader& header) {
  io::Digester digester;
  add_range(digester, file, kPackHeaderBytes, header.blocks_begin);
  add_range(digester, file, header.blocks_begin + header.blocks_bytes, header.bytes);
  return digester.value();
}

PackHeader check_header(const io::Descriptor& file) {
  std::string text(kPackHeaderBytes, '\0');
  text.resize(file.read_at(text.data(), text.size(), 0));
  const io::Json json = parsed(file, text);
  PackHeader header;
  try {
    header.bytes = io::whole<std::uint64_t>(json.at("bytes"));
    header.blocks_begin = io::whole<std::uint64_t>(json.at("blocks").at(0));
    header.blocks_bytes = io::whole<std::uint64_t>(json.at("blocks").at(1));
    header.structure = json.at("structure");
  } catch (const io::Json::exception&) {
  }
  if (header_text(header) != text)
    throw wrong(file, "bytes 0 to 511", "a header as its seal says", "another",
                "the header is damaged");
  const std::uint64_t bytes = file.size();
  if (bytes != header.bytes)
    throw wrong(file, fmt::format("byte {}", std::min(bytes, header.bytes)),
                fmt::format("{} bytes", header.bytes), fmt::format("{}", bytes),
                bytes < header.bytes ? "is cut short" : "has grown");
  if (header.blocks_begin < kPackHeaderBytes || header.blocks_begin > bytes ||
      header.blocks_bytes > bytes - header.blocks_begin)
    throw wrong(file, "blocks", fmt::format("a place within {} bytes", bytes),
                fmt::format("{} bytes from {} on", header.blocks_bytes, header.blocks_begin),
                "its blocks lie outside of it");
  const std::string structure = structure_digest(file, header);
  if (structure != header.structure)
    throw wrong(file, fmt::format("bytes 512 to {} or behind the blocks", header.blocks_begin - 1),
                "digest " + header.structure, structure, "its names or tables are damaged");
  return header;
}

}  // namespace cellmill::data
