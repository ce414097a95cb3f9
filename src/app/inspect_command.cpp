#include "app/command.h"
#include "data/store/pack_store.h"
#include "data/store/token_store.h"
#include "infer/inspection.h"

namespace cellmill::app {

int inspect_command(comm::World& world, const Arguments& arguments) {
  std::string where;
  bool names = false, json = false, all = false;
  config::CommandLine line(
      "cellmill inspect",
      "What is in a checkpoint or run: model, fields, genes, sizes, step, last "
      "figures, digests.\nWhat is in a store of cellmill pack or tokenize: cells, genes, fields, "
      "sizes,\nsources, digests.");
  line.positional("PLACE", &where,
                  "a checkpoint, a checkpoints/ folder, a run folder, a .cmpack store or a token "
                  "store (.h5)");
  line.option("verbose", &names, "all names of genes and categories, shapes of parameters");
  line.option("json", &json, "everything, as JSON");
  line.option("verify", &all,
              "verify all of the run (every checkpoint, curves, settings), not only the checkpoint "
              "shown; or all of a store");
  if (!line.parse(arguments)) {
    say(world, line.help());
    return 0;
  }
  if (world.rank != 0) return 0;
  if (data::is_pack_store(where)) {
    using data::StoreText;
    const auto text = json ? StoreText::kJson : names ? StoreText::kNames : StoreText::kShort;
    say(world, data::describe_pack_store(data::open_pack_store(where), text, all));
    return 0;
  }
  if (data::is_token_store(where)) {
    const data::TokenStore store(where);
    if (all) store.verify();
    say(world, json ? data::describe_json(store) : data::describe(store));
    return 0;
  }
  const auto inspection = infer::inspect(where, all ? infer::Verify::kAll : infer::Verify::kShown);
  say(world,
      json ? infer::json_of(inspection)
           : infer::text_of(inspection, names ? infer::Detail::kNames : infer::Detail::kShort));
  for (const infer::Verdict& verdict : inspection.verdicts)
    if (!verdict.problem.empty()) return static_cast<int>(Exit::kData);
  return inspection.damage.empty() ? 0 : static_cast<int>(Exit::kData);
}

}  // namespace cellmill::app
