#include "app/command.h"
#include "base/format.h"
#include "infer/export_encoder.h"

namespace cellmill::app {

int export_command(comm::World& world, const Arguments& arguments) {
  std::string where, folder;
  config::CommandLine line("cellmill export",
                           "Writes a trained rank encoder as a Hugging Face folder: config.json "
                           "and model.safetensors of "
                           "a\nBertForMaskedLM, and genes.json, its dictionary.");
  line.positional("PLACE", &where, "a checkpoint, a checkpoints/ folder or a run folder");
  line.positional("FOLDER", &folder, "to be made");
  if (!line.parse(arguments)) {
    say(world, line.help());
    return 0;
  }
  if (world.rank != 0) return 0;
  const auto checkpoint = infer::export_encoder(where, folder);
  say(world, fmt::format("{} written from {}", folder, checkpoint.string()));
  return 0;
}

}  // namespace cellmill::app
