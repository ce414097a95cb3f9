// Lines as --set arguments, over a small run file.
#include "settings.h"

using namespace cellmill;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  config::Layers layers{{{"run.yaml", "train: {steps: 7}\n"}}, {}};
  while (!text.empty() && layers.settings.size() < 50) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    layers.settings.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  fuzz::read_settings(layers);
  return 0;
}
