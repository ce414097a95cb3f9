#include "app/question.h"
#include "infer/contributions.h"

namespace cellmill::app {

int contributions_command(comm::World& world, const Arguments& arguments) {
  Question question;
  bool logits = false;
  config::CommandLine line(
      "cellmill contributions",
      "How much does each head of an additive model contribute to each cell? Writes L2 norms per\n"
      "cell and head (obs, obsm) and, with --logits, the additive terms themselves as layers.");
  question.declare(line);
  line.option("logits", &logits, "write the terms: a layer a head, and their sum as X");
  if (!line.parse(arguments)) {
    say(world, line.help());
    return 0;
  }
  question.check(world);
  infer::LoadedModel loaded = infer::load_model(question.checkpoint, question.device);
  infer::Input input(question.input, loaded.vocabulary);
  infer::Annotations annotations;
  const auto answer =
      open_answer(question, loaded, input, infer::contribution_matrices(loaded, logits));
  const auto heads = infer::contribute(loaded, input, *answer, logits, annotations);
  close_answer(question, "contributions", loaded, input, annotations, *answer);
  say(world, infer::text_of(heads));
  return 0;
}

}  // namespace cellmill::app
