#include "app/run_files.h"

namespace cellmill::app {

void RunFiles::declare(config::CommandLine& line) {
  line.heading("Settings, told by `cellmill config help`");
  line.option("config", &files, "run files (YAML), later ones win");
  line.option("set", &settings, "key=value settings, as in data.path=cells; they win over files");
  line.heading("");
}

config::Layers RunFiles::read(comm::World& world) const {
  config::Layers layers{{}, settings};
  comm::agree(*world.host_world, [&] {
    for (const std::string& path : files)
      layers.files.push_back(world.rank == 0 ? config::load_text(path) : config::Text{path, ""});
  });
  for (config::Text& file : layers.files)
    file.text = world.host_world->broadcast_text(file.text, 0);
  return layers;
}

}  // namespace cellmill::app
