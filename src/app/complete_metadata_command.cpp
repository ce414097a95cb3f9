#include "app/question.h"
#include "base/log.h"
#include "infer/metadata_answer.h"
#include "infer/metadata_reading.h"
#include "io/files.h"

namespace cellmill::app {

int complete_metadata_command(comm::World& world, const Arguments& arguments) {
  Question question;
  double min_confidence = 0.5;
  std::string check_labels;
  config::CommandLine line(
      "cellmill complete-metadata",
      "Fills in the labels that these samples lack, with the confidence of each; never changes "
      "one\n"
      "that is given. Says how often the prediction agrees with those that are. Labels of samples\n"
      "that the model was trained on agree too well: it has seen them.");
  question.declare(line, Values::kCounts);
  line.option("min-confidence", &min_confidence, "of a label that is filled in",
              config::Need::kOptional, config::fraction());
  line.option("check-labels", &check_labels,
              "FILE.csv: given labels that the model doubts, the most doubtful first");
  if (!line.parse(arguments)) {
    say(world, line.help());
    return 0;
  }
  question.check(world);
  if (!check_labels.empty()) infer::check_result_folder(check_labels);
  infer::LoadedModel loaded = infer::load_model(question.checkpoint, question.device);
  infer::metadata_model(loaded);
  infer::Input input(question.input, loaded.vocabulary);
  const auto answer = open_answer(question, loaded, input, {});
  const auto samples = infer::read_samples(loaded, input, infer::Reconstruct::kNo);
  const auto fields = infer::complete(samples.predictions, samples.given, min_confidence);
  infer::Annotations annotations;
  infer::add_completed(annotations, fields);
  close_answer(question, "complete-metadata", loaded, input, annotations, *answer);
  say(world, infer::text_of(fields));
  if (check_labels.empty()) return 0;
  const auto doubtful = infer::doubtful_labels(samples.predictions, samples.given);
  io::write_text_atomically(check_labels, infer::csv_of(doubtful, input.names()));
  say(world, fmt::format("{} given labels are doubted: {}", doubtful.size(), check_labels));
  return 0;
}

}  // namespace cellmill::app
