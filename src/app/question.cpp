#include "app/question.h"

#include <filesystem>

#include "base/log.h"
#include "infer/answer_parts.h"

namespace cellmill::app {

void Question::declare(config::CommandLine& line, Values values) {
  using config::Need;
  line.option("checkpoint", &checkpoint,
              "a checkpoint, a checkpoints/ folder or a run folder (its best, else newest)",
              Need::kRequired);
  line.option(
      "input", &input.path,
      "cells: .h5ad, .csv or .tsv, a 10x folder, .npz, a folder of .npz chunks, or a .cmpack "
      "store",
      Need::kRequired);
  line.option("output", &output,
              may_be_json ? "answer: .h5ad, .npz, .csv, or .json as the prediction API gives it"
                          : "answer: .h5ad, .npz or .csv",
              Need::kRequired);
  input.takes_counts = values == Values::kCounts;
  input.needs_labels = values == Values::kLogs;
  if (values == Values::kLogs)
    line.option("raw-counts", &input.raw_counts,
                "the input holds counts: normalise to log1p of counts per 10,000");
  line.option("layer", &input.layer, "h5ad: 'raw' or the name of a layer instead of X");
  line.option("orientation", &input.orientation,
              "csv: what a row is; auto: by the names of the model's genes", Need::kOptional,
              config::one_of({"auto", "genes_by_samples", "samples_by_genes"}));
  line.option("metadata", &input.metadata,
              "npz: folder made by tools/preprocess_metadata, for the labels");
  line.option("genes", &input.genes, "npz: gene names, one a line (default: genes.txt beside it)");
  line.option("column", &input.columns,
              "FIELD=COLUMN: the input's name of a field of the model; repeatable");
  line.option("min-overlap", &input.min_overlap,
              "refuse an input with a smaller fraction of the model's genes", Need::kOptional,
              config::fraction());
  line.option("batch", &input.batch_cells, "cells at a time", Need::kOptional, config::at_least(1));
  line.option("device", &device, "where the model runs", Need::kOptional,
              config::one_of({"auto", "cpu", "cuda"}));
}

void Question::check(const comm::World& world) const {
  if (world.size > 1)
    throw UsageError("a question is asked by one process, not by " + std::to_string(world.size),
                     "leave mpirun or srun away");
  if (may_be_json && output.ends_with(".json"))
    infer::check_result_folder(output);
  else
    infer::check_result_path(output);
  std::error_code ignored;
  if (std::filesystem::equivalent(input.path, output, ignored))
    throw UsageError("--output " + output + " would overwrite the input");
}

std::unique_ptr<infer::ResultFile> open_answer(const Question& question,
                                               const infer::LoadedModel& loaded,
                                               const infer::Input& input,
                                               std::vector<std::string> matrices) {
  return infer::make_result_file(question.output,
                                 {input.names(), loaded.vocabulary.genes, std::move(matrices)});
}

void close_answer(const Question& question, const std::string& command,
                  const infer::LoadedModel& loaded, const infer::Input& input,
                  infer::Annotations& annotations, infer::ResultFile& answer) {
  for (const std::string& note : input.label_notes()) log::warn("{}", note);
  annotations.facts.merge(infer::origin_facts(command, loaded, question.input.path));
  answer.finish(annotations);
  log::info("written: {}", question.output);
}

}  // namespace cellmill::app
