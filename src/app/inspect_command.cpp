#include "app/command.h"
#include "infer/inspection.h"

namespace cellmill::app {

int inspect_command(comm::World& world, const Arguments& arguments) {
  std::string where;
  bool names = false, json = false, all = false;
  config::CommandLine line(
      "cellmill inspect",
      "What is in a checkpoint or run: model, fields, genes, sizes, step, last "
      "figures, digests.");
  line.positional("FOLDER", &where, "a checkpoint, a checkpoints/ folder or a run folder");
  line.option("verbose", &names, "all names of genes and categories, shapes of parameters");
  line.option("json", &json, "everything, as JSON");
  line.option("verify", &all, "verify every checkpoint of the run, not only the one shown");
  if (!line.parse(arguments)) {
    say(world, line.help());
    return 0;
  }
  if (world.rank != 0) return 0;
  const auto inspection = infer::inspect(where, all ? infer::Verify::kAll : infer::Verify::kShown);
  say(world,
      json ? infer::json_of(inspection)
           : infer::text_of(inspection, names ? infer::Detail::kNames : infer::Detail::kShort));
  for (const infer::Verdict& verdict : inspection.verdicts)
    if (!verdict.problem.empty()) return static_cast<int>(Exit::kData);
  return 0;
}

}  // namespace cellmill::app
