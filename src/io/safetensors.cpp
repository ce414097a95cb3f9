#include "io/safetensors.h"

#include <algorithm>

#include "base/error.h"
#include "io/files.h"
#include "io/little_endian.h"
#include "io/strict_json.h"

namespace cellmill::io {

namespace {

using nlohmann::json;

constexpr std::uint64_t kMostHeaderBytes = 100'000'000;  // the reference's own limit

std::uint64_t bytes_of_dtype(const std::string& dtype) {
  static const std::map<std::string, std::uint64_t> sizes{
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1},
      {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},
      {"U32", 4},  {"F32", 4}, {"I64", 8}, {"U64", 8},     {"F64", 8}};
  auto found = sizes.find(dtype);
  return found == sizes.end() ? 0 : found->second;
}

bool fills(const std::string& dtype, const std::vector<std::int64_t>& shape, std::uint64_t bytes) {
  std::uint64_t needed = bytes_of_dtype(dtype);
  if (needed == 0) return false;
  for (std::int64_t extent : shape)
    if (extent < 0 || __builtin_mul_overflow(needed, static_cast<std::uint64_t>(extent), &needed))
      return false;
  return needed == bytes;
}

struct Place {
  std::string name, dtype;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;
};

Place place_of(const std::string& name, const json& entry, std::uint64_t data_bytes,
               const std::string& path) {
  const std::string where = "tensor " + name;
  Place place{.name = name, .dtype = {}, .shape = {}};
  try {
    place.dtype = entry.at("dtype").get<std::string>();
    place.shape = wholes<std::int64_t>(entry.at("shape"));
    const json& offsets = entry.at("data_offsets");
    if (offsets.size() != 2) throw DataError({path, where, {}, {}}, "has no two data offsets");
    place.begin = whole<std::uint64_t>(offsets.at(0));
    place.end = whole<std::uint64_t>(offsets.at(1));
  } catch (const json::exception& error) {
    throw DataError({path, where, "dtype, shape and data_offsets", error.what()},
                    "has a broken entry in the header");
  }
  if (place.end > data_bytes)
    throw DataError(
        {path, where, std::to_string(place.end) + " bytes of data", std::to_string(data_bytes)},
        "is truncated");
  if (place.begin > place.end || !fills(place.dtype, place.shape, place.end - place.begin))
    throw DataError({path, where, {}, entry.dump()}, "has offsets that do not fit its shape");
  return place;
}

/// The header, and in `length` its bytes.
json read_header(const Descriptor& file, std::uint64_t file_bytes, const std::string& path,
                 std::uint64_t& length) {
  if (file.read_at(&length, 8, 0) != 8 || length > kMostHeaderBytes)
    throw DataError({path, {}, {}, {}}, "is not a safetensors file");
  if (length > file_bytes - 8)
    throw DataError(
        {path, "header", std::to_string(length) + " bytes", std::to_string(file_bytes - 8)},
        "is truncated, or not a safetensors file");
  std::string text(length, '\0');
  text.resize(file.read_at(text.data(), length, 8));
  json header = json::parse(text, &shallow<json>, false);
  if (!header.is_object())
    throw DataError({path, "header", {}, {}},
                    "is not a safetensors file: its header is no JSON object");
  return header;
}

}  // namespace

Safetensors read_safetensors(const std::string& path) {
  Descriptor file(path, Descriptor::Mode::kRead);
  std::uint64_t file_bytes = file.size();
  std::uint64_t header_bytes = 0;
  json header = read_header(file, file_bytes, path, header_bytes);
  std::uint64_t start = 8 + header_bytes, data_bytes = file_bytes - start;

  Safetensors content;
  std::vector<Place> places;
  for (const auto& [name, entry] : header.items()) {
    if (name != "__metadata__")
      places.push_back(place_of(name, entry, data_bytes, path));
    else
      for (const auto& [key, value] : entry.items())
        content.metadata[key] = value.is_string() ? value.get<std::string>() : value.dump();
  }
  std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t next = 0;
  for (const Place& place : places) {
    if (place.begin != next)
      throw DataError({path, "tensor " + place.name, "byte " + std::to_string(next),
                       std::to_string(place.begin)},
                      "overlaps its neighbour or leaves a gap");
    next = place.end;
    RawTensor tensor{place.dtype, place.shape, std::vector<std::uint8_t>(place.end - place.begin)};
    file.read_at(tensor.bytes.data(), tensor.bytes.size(), start + place.begin);
    content.tensors.emplace(place.name, std::move(tensor));
  }
  if (next != data_bytes)
    throw DataError({path, {}, std::to_string(next) + " bytes of data", std::to_string(data_bytes)},
                    "holds more than its header says");
  return content;
}

void write_safetensors(const std::string& path, const Safetensors& content) {
  std::vector<const std::pair<const std::string, RawTensor>*> order;  // widest first: all aligned
  for (const auto& item : content.tensors) {
    if (!fills(item.second.dtype, item.second.shape, item.second.bytes.size()))
      throw InternalError("tensor " + item.first + " does not fill its shape");
    order.push_back(&item);
  }
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return bytes_of_dtype(a->second.dtype) > bytes_of_dtype(b->second.dtype);
  });
  json header = json::object();
  if (!content.metadata.empty()) header["__metadata__"] = content.metadata;
  std::uint64_t offset = 0;
  for (const auto* item : order) {
    const auto& [name, tensor] = *item;
    header[name] = {{"dtype", tensor.dtype},
                    {"shape", tensor.shape},
                    {"data_offsets", {offset, offset + tensor.bytes.size()}}};
    offset += tensor.bytes.size();
  }
  std::string text = header.dump(), length;
  text.append((8 - text.size() % 8) % 8, ' ');
  put<std::uint64_t>(length, text.size());
  publish_file(path, [&](const fs::path& temporary) {
    Descriptor file(temporary, Descriptor::Mode::kCreateNew);
    file.write(length.data(), length.size());
    file.write(text.data(), text.size());
    for (const auto* item : order) file.write(item->second.bytes.data(), item->second.bytes.size());
    file.close();
  });
}

}  // namespace cellmill::io
