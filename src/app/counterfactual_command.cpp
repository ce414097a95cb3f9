#include <optional>

#include "app/question.h"
#include "infer/counterfactual.h"

namespace cellmill::app {

int counterfactual_command(comm::World& world, const Arguments& arguments) {
  Question question;
  infer::CounterfactualOptions options;
  std::string report, reference_path;
  config::CommandLine line(
      "cellmill counterfactual",
      "What would these cells express under other contexts? Writes new expression for every cell,\n"
      "says what was changed, and compares with real cells of the wanted context and with simple\n"
      "baselines, where the input or --reference holds such cells.");
  question.declare(line);
  line.option("set-context", &options.set_context,
              "FIELD=VALUE that all cells shall have; A+B for a set; repeatable",
              config::Need::kRequired);
  line.option("read-out", &options.read_out,
              "delta: the cell plus the model's difference (keeps the cell's own residual; for "
              "cells and unseen combinations); direct: the generated cell (for means of seen "
              "combinations)",
              config::Need::kOptional, config::one_of({"delta", "direct"}));
  line.option("match", &options.match,
              "fields that make up a cell type in the comparison (default: all unchanged ones)");
  line.option("reference", &reference_path,
              "more real cells for the comparison, in the format of the input");
  line.option("report", &report, "write the comparison, every type, as JSON");
  if (!line.parse(arguments)) {
    say(world, line.help());
    return 0;
  }
  question.check(world);
  infer::LoadedModel loaded = infer::load_model(question.checkpoint, question.device);
  infer::Input input(question.input, loaded.vocabulary);
  std::optional<infer::Input> reference;
  if (!reference_path.empty()) {
    infer::InputOptions same = question.input;
    same.path = reference_path;
    reference.emplace(same, loaded.vocabulary);
  }
  infer::Annotations annotations;
  const auto answer = open_answer(question, loaded, input, {"X"});
  const auto result = infer::generate({loaded, input, reference ? &*reference : nullptr, *answer},
                                      options, annotations);
  close_answer(question, "counterfactual", loaded, input, annotations, *answer);
  if (!report.empty()) infer::write_report(report, result);
  say(world, infer::text_of(result));
  return 0;
}

}  // namespace cellmill::app
