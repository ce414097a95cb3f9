// Bytes as a TensorBoard event file: as they are, or as records with good checksums; asked for
// damage, and cut back to a step as a resumed run does.
#include "io/events.h"

#include "fuzz.h"
#include "io/records.h"

using namespace cellmill;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Script script(data, size);
  const std::int64_t step = script.take<std::uint8_t>();
  std::string text;
  if (script.yes()) {
    while (!script.ended()) text += io::framed(script.bytes(200));
    if (size % 8 == 0 && !text.empty()) text.pop_back();
  } else {
    text = script.rest();
  }
  fuzz::write_file("events.out.tfevents.1.host.2.0", text);
  fuzz::accepted([&] {
    io::EventWriter::damage(fuzz::folder());
    io::EventWriter::drop_from(fuzz::folder(), step);
    fuzz::require(text.empty() || io::EventWriter::damage(fuzz::folder()).size() <= 1);
  });
  return 0;
}
