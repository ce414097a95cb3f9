#include "checkpoint/manifest.h"

#include "base/error.h"
#include "base/format.h"
#include "io/descriptor.h"
#include "io/digest.h"
#include "io/files.h"
#include "io/strict_json.h"

namespace cellmill::checkpoint {
namespace {

using io::Json;

const char* const kHint = "take an older checkpoint: --resume does so by itself";

[[noreturn]] void damaged(const fs::path& file, const std::string& where,
                          const std::string& expected, const std::string& found) {
  throw DataError({file.string(), where, expected, found}, "is damaged", kHint);
}

std::string dumped(const Json& json) { return json.dump(1) + "\n"; }

Json parsed(const fs::path& file, const std::string& text) {
  try {
    return Json::parse(text, &io::shallow<Json>);
  } catch (const Json::parse_error& e) {
    damaged(file, "byte " + std::to_string(e.byte), "JSON", e.what());
  }
}

void require_format(const fs::path& file, const Json& json) {
  const auto format = json.is_object() ? json.find("format") : json.end();
  if (!json.is_object() || format == json.end() || !format->is_number_integer())
    damaged(file, "format", "a number", "none");
  const auto found = format->get<std::int64_t>();
  if (found == kManifestFormat) return;
  throw DataError(
      {file.string(), "format", std::to_string(kManifestFormat), std::to_string(found)},
      found > kManifestFormat ? "was written by a newer cellmill" : "is of no known format",
      found > kManifestFormat ? "read it with the cellmill that wrote it, or a newer one"
                              : "the file was changed after it was written");
}

/// The seal is the digest of the text without it: any changed byte shows.
void require_seal(const fs::path& file, const std::string& text, Json json) {
  const std::string seal = json.value("seal", Json()).dump();
  json.erase("seal");
  const std::string own = io::digest(dumped(json));
  json["seal"] = own;
  if (dumped(json) != text)
    damaged(file, "bytes 0 to " + std::to_string(text.size() - 1), "the seal \"" + own + "\"",
            seal);
}

}  // namespace

std::string manifest_text(const Manifest& manifest) {
  Json json;
  json["format"] = kManifestFormat;
  json["step"] = manifest.step;
  json["file"] = {{"name", kStateFile},
                  {"bytes", manifest.content.bytes},
                  {"block_bytes", io::kBlockBytes},
                  {"xxh3", manifest.content.blocks}};
  json["tensors"] = Json::object();
  for (const auto& [name, tensor] : manifest.tensors)
    json["tensors"][name] = {
        {"type", tensor.type}, {"shape", tensor.shape}, {"xxh3", tensor.digest}};
  json["seal"] = io::digest(dumped(Json(json)));
  return dumped(json);
}

Manifest read_manifest(const fs::path& checkpoint) {
  const fs::path file = checkpoint / kManifestFile;
  if (!fs::is_directory(checkpoint))
    throw DataError({checkpoint.string(), "", "", ""}, "is no checkpoint: no such folder", "",
                    Exit::kNoInput);
  if (!fs::exists(file))
    throw DataError({checkpoint.string(), "", std::string(kManifestFile) + " in it", "none"},
                    "is no whole checkpoint", kHint);
  const std::string text = io::read_text(file);
  const Json json = parsed(file, text);
  require_format(file, json);
  require_seal(file, text, json);
  Manifest manifest;
  try {
    manifest.step = io::whole<std::int64_t>(json.at("step"));
    manifest.content.bytes = io::whole<std::uint64_t>(json.at("file").at("bytes"));
    manifest.content.blocks = json.at("file").at("xxh3").get<std::vector<std::string>>();
    for (const auto& [name, entry] : json.at("tensors").items())
      manifest.tensors[name] = {entry.at("type"), io::wholes<std::int64_t>(entry.at("shape")),
                                entry.at("xxh3")};
  } catch (const Json::exception& e) {
    damaged(file, "", "a manifest of format " + std::to_string(kManifestFormat), e.what());
  }
  return manifest;
}

void verify_file(const fs::path& file, const Manifest& manifest) {
  io::verify_blocks(file, manifest.content, kHint);
}

}  // namespace cellmill::checkpoint
