// Text as a checkpoint's manifest: as it is, or sealed anew so that what lies behind the seal is
// reached; then compared with a file of weights.
#include "checkpoint/manifest.h"

#include "fuzz.h"
#include "io/digest.h"
#include "io/strict_json.h"

using namespace cellmill;

namespace {

std::string sealed(std::string_view text) {
  io::Json json = io::Json::parse(text, &io::shallow<io::Json>, false);
  if (!json.is_object()) return std::string(text);
  json.erase("seal");
  const auto dumped = [&] {
    return json.dump(1, ' ', false, io::Json::error_handler_t::replace) + "\n";
  };
  const std::string seal = io::digest(dumped());
  json["seal"] = seal;
  return dumped();
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Script script(data, size);
  const bool seal = script.yes();
  const std::string_view text = script.rest();
  fuzz::write_file(checkpoint::kManifestFile, seal ? sealed(text) : std::string(text));
  const std::string state = fuzz::write_file(checkpoint::kStateFile, "weights");
  fuzz::accepted([&] {
    const checkpoint::Manifest manifest = checkpoint::read_manifest(fuzz::folder());
    fuzz::accepted([&] { checkpoint::verify_file(state, manifest); });
  });
  return 0;
}
