// Bytes as a safetensors file; half of them with a length in front that fits the header.
#include "io/safetensors.h"

#include "fuzz.h"

using namespace cellmill;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Script script(data, size);
  std::string text;
  if (script.yes()) {
    const std::uint64_t most = script.take<std::uint16_t>();
    const std::string_view rest = script.rest();
    const std::uint64_t length = std::min<std::uint64_t>(most, rest.size());
    text.assign(reinterpret_cast<const char*>(&length), 8);
    text += rest;
  } else {
    text = script.rest();
  }
  const std::string path = fuzz::write_file("a.safetensors", text), copy = path + ".copy";
  fuzz::accepted([&] {
    const io::Safetensors content = io::read_safetensors(path);
    io::write_safetensors(copy, content);
    const io::Safetensors again = io::read_safetensors(copy);
    fuzz::require(again.metadata == content.metadata &&
                  again.tensors.size() == content.tensors.size());
  });
  return 0;
}
