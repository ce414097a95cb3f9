// Text as a run file.
#include "settings.h"

using namespace cellmill;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  fuzz::read_settings({{{"run.yaml", text}}, {}});
  fuzz::accepted([&] { config::differences({"a", text}, {"b", "output: x\n"}); });
  return 0;
}
