#include "app/question.h"
#include "infer/classification.h"

namespace cellmill::app {

int classify_command(comm::World& world, const Arguments& arguments) {
  Question question;
  config::CommandLine line(
      "cellmill classify",
      "Which contexts does the model's classifier see in these cells? Writes the most probable\n"
      "category and its probability (obs) and all probabilities (obsm) of every field.");
  question.declare(line);
  if (!line.parse(arguments)) {
    say(world, line.help());
    return 0;
  }
  question.check(world);
  infer::LoadedModel loaded = infer::load_model(question.checkpoint, question.device);
  infer::Input input(question.input, loaded.vocabulary);
  infer::Annotations annotations;
  const auto answer = open_answer(question, loaded, input, {});
  const auto fields = infer::classify(loaded, input, annotations);
  close_answer(question, "classify", loaded, input, annotations, *answer);
  say(world, infer::text_of(fields));
  return 0;
}

}  // namespace cellmill::app
