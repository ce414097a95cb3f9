#include <map>

#include "app/question.h"
#include "base/log.h"
#include "base/nearest.h"
#include "infer/answer_parts.h"
#include "infer/metadata_answer.h"
#include "infer/metadata_reading.h"
#include "infer/ontology.h"
#include "infer/sex_report.h"
#include "io/files.h"

namespace cellmill::app {
namespace {

struct Wishes {
  bool distribution = false, labels_only = false;
  std::vector<std::string> ontologies;
  double threshold = 0.8;
  std::string sex_report;
};

const infer::PredictedField& field_of(const infer::Predictions& predictions,
                                      const std::string& name, const std::string& asked_by) {
  std::vector<std::string> names;
  for (const auto& field : predictions.fields) {
    if (field.name == name) return field;
    names.push_back(field.name);
  }
  throw UsageError(asked_by + ": the model predicts no field '" + name + "'",
                   did_you_mean(name, names));
}

std::pair<std::string, std::string> field_and_file(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size())
    throw UsageError("--ontology " + text + " is not FIELD=FILE");
  return {text.substr(0, equals), text.substr(equals + 1)};
}

void roll_up(const Wishes& wishes, const infer::Predictions& predictions,
             infer::Annotations& annotations) {
  for (const auto& text : wishes.ontologies) {
    const auto [name, file] = field_and_file(text);
    const auto& field = field_of(predictions, name, "--ontology " + text);
    const infer::Ontology ontology(file);
    const auto rolled = infer::roll_up(field, ontology, wishes.threshold);
    if (!rolled.unknown.empty())
      log::warn("{}: {} of {} labels of {} are not in it; nothing is above them: {}", file,
                rolled.unknown.size(), field.words.size(), name, fmt::join(rolled.unknown, ", "));
    infer::add_rolled_up(annotations, name, rolled);
  }
}

void report_sex(comm::World& world, const Wishes& wishes, const infer::ReadSamples& samples,
                const std::vector<std::string>& names) {
  const auto& sex = field_of(samples.predictions, "sex", "--sex-report");
  const auto report = infer::sex_report(sex, names, samples.given_texts("sex"), samples.watched);
  io::write_text_atomically(wishes.sex_report, infer::csv_of(report));
  say(world, infer::text_of(report));
}

}  // namespace

int predict_metadata_command(comm::World& world, const Arguments& arguments) {
  Question question;
  question.may_be_json = true;
  Wishes wishes;
  config::CommandLine line(
      "cellmill predict-metadata",
      "Which metadata do these samples' counts tell? Writes the most probable value of every "
      "field\n"
      "with its probability, and the three latents (X_biological, X_technical, X_perturbation).");
  question.declare(line, Values::kCounts);
  line.option("distribution", &wishes.distribution,
              "every value's probability, too (.json has them always)");
  line.option("labels-only", &wishes.labels_only,
              ".json: without gene_order and the reconstructed counts");
  line.option("ontology", &wishes.ontologies,
              "FIELD=FILE, .obo or .json {term: [parents]}: roll its labels up to the deepest term "
              "that is sure; repeatable");
  line.option("threshold", &wishes.threshold, "probability that a rolled-up term needs",
              config::Need::kOptional, config::fraction());
  line.option("sex-report", &wishes.sex_report,
              "FILE.csv: prediction, label, XIST, RPS4Y1 and DDX3Y side by side");
  if (!line.parse(arguments)) {
    say(world, line.help());
    return 0;
  }
  question.check(world);
  if (!wishes.sex_report.empty()) {
    infer::check_result_folder(wishes.sex_report);
    question.input.watched = infer::sex_markers();
  }
  for (const auto& text : wishes.ontologies) field_and_file(text);
  const bool json = question.output.ends_with(".json");
  infer::LoadedModel loaded = infer::load_model(question.checkpoint, question.device);
  infer::metadata_model(loaded);
  infer::Input input(question.input, loaded.vocabulary);
  const auto answer = json ? nullptr : open_answer(question, loaded, input, {});
  const auto samples = infer::read_samples(
      loaded, input,
      json && !wishes.labels_only ? infer::Reconstruct::kYes : infer::Reconstruct::kNo);
  infer::Annotations annotations;
  for (const auto& labels : samples.given)
    annotations.obs.push_back(
        infer::text_column(labels.field.name, samples.given_texts(labels.field.name)));
  infer::add_predictions(
      annotations, samples.predictions,
      wishes.distribution ? infer::Distribution::kYes : infer::Distribution::kNo);
  roll_up(wishes, samples.predictions, annotations);
  if (json) {
    io::write_text_atomically(question.output,
                              infer::json_of(samples.predictions, infer::facts_of(loaded)) + "\n");
    log::info("written: {}", question.output);
  } else {
    close_answer(question, "predict-metadata", loaded, input, annotations, *answer);
  }
  say(world, infer::text_of(infer::complete(samples.predictions, samples.given, 0)));
  if (!wishes.sex_report.empty()) report_sex(world, wishes, samples, input.names());
  return 0;
}

}  // namespace cellmill::app
