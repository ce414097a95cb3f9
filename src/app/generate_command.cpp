#include <ATen/ATen.h>

#include <algorithm>

#include "app/command.h"
#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "infer/answer_parts.h"
#include "infer/metadata_answer.h"
#include "infer/metadata_reading.h"
#include "infer/recipe_table.h"
#include "io/files.h"

namespace cellmill::app {
namespace {

using config::Need;

struct GenerateOptions {
  std::string checkpoint, output, table, device = "auto", sampling = "mean estimation";
  std::vector<std::string> set, conditioning = {"biological", "technical"};
  std::int64_t num_samples = 1, seed = 0;
  double total_count = 0;
  bool deterministic_latents = false, fixed_total_count = false;
  infer::InputOptions reference;

  void declare(config::CommandLine& line) {
    line.option("checkpoint", &checkpoint, "a checkpoint, a checkpoints/ folder or a run folder",
                Need::kRequired);
    line.option("output", &output, "answer: .h5ad, .npz, .csv, or .json as the prediction API's",
                Need::kRequired);
    line.option("set", &set, "FIELD=VALUE: metadata of what is generated; repeatable");
    line.option("table", &table, "FILE.csv: a column a field, a row an input; instead of --set");
    line.option("num-samples", &num_samples, "samples an input", Need::kOptional,
                config::at_least(1));
    line.option("sampling", &sampling,
                "'mean estimation', or 'sample generation' (bulk): with measurement noise",
                Need::kOptional, config::one_of({"mean estimation", "sample generation"}));
    line.option("total-count", &total_count,
                "counts of a sample; 0: 10,000,000 (bulk), 10,000 (single cell)", Need::kOptional,
                config::not_negative());
    line.option("deterministic-latents", &deterministic_latents,
                "means of the latents instead of draws");
    line.option("seed", &seed, "of all draws", Need::kOptional, config::at_least(0));
    line.option("device", &device, "where the model runs", Need::kOptional,
                config::one_of({"auto", "cpu", "cuda"}));
    line.heading("Beside a reference");
    line.option("reference", &reference.path,
                "cells as of predict-metadata's --input: each is an input");
    line.option("conditioning", &conditioning,
                "latents that come from the reference: biological, technical, perturbation");
    line.option("fixed-total-count", &fixed_total_count,
                "counts of a sample are --total-count, not the reference's own");
    line.option("layer", &reference.layer, "h5ad: 'raw' or the name of a layer instead of X");
    line.option("orientation", &reference.orientation, "csv: what a row is", Need::kOptional,
                config::one_of({"auto", "genes_by_samples", "samples_by_genes"}));
    line.option("min-overlap", &reference.min_overlap,
                "refuse a reference with a smaller fraction of the model's genes", Need::kOptional,
                config::fraction());
  }

  infer::GenerationOptions asked() const {
    infer::GenerationOptions options;
    options.sampling = *infer::sampling_named(sampling);
    if (total_count > 0) options.total_count = total_count;
    options.deterministic_latents = deterministic_latents;
    options.seed = static_cast<std::uint64_t>(seed);
    options.fixed_total_count = fixed_total_count;
    options.conditioning = {};
    for (const auto& name : conditioning) {
      const auto& names = models::kMetadataGroupNames;
      const auto found = std::find(names.begin(), names.end(), name);
      if (found == names.end())
        throw UsageError("--conditioning " + name,
                         "latents are biological, technical and perturbation");
      options.conditioning[found - names.begin()] = true;
    }
    return options;
  }
};

/// One input a cell, with the same metadata.
std::vector<infer::GenerationInput> beside_reference(const GenerateOptions& o,
                                                     const infer::LoadedModel& loaded,
                                                     const models::Metadata& metadata,
                                                     std::vector<std::string>& names) {
  auto reference = o.reference;
  reference.takes_counts = true;
  reference.needs_labels = false;
  infer::Input input(reference, loaded.vocabulary);
  names = input.names();
  std::vector<infer::GenerationInput> inputs;
  while (const auto cells = input.next()) {
    const auto& b = cells->batch;
    for (std::int64_t i = 0; i < b.size(); ++i) {
      const auto from = b.indptr[i].item<std::int64_t>(), to = b.indptr[i + 1].item<std::int64_t>();
      auto counts = at::zeros({b.genes}, at::kFloat);
      counts.index_put_({b.indices.narrow(0, from, to - from)},
                        b.values.narrow(0, from, to - from));
      inputs.push_back({metadata, counts, o.num_samples});
    }
  }
  return inputs;
}

std::vector<infer::GenerationInput> inputs_of(const GenerateOptions& o,
                                              const infer::LoadedModel& loaded,
                                              const models::MetadataModel& model,
                                              std::vector<std::string>& names) {
  if (!o.table.empty() && !(o.set.empty() && o.reference.path.empty()))
    throw UsageError("--table stands alone: not with --set or --reference");
  const auto metadata = infer::parse_metadata(o.set, model);
  if (!o.reference.path.empty()) return beside_reference(o, loaded, metadata, names);
  std::vector<infer::GenerationInput> inputs;
  if (o.table.empty())
    inputs.push_back({metadata, {}, o.num_samples});
  else
    inputs = infer::read_recipes(o.table, model);
  for (std::size_t i = 0; i < inputs.size(); ++i) names.push_back(fmt::format("input{}", i));
  return inputs;
}

infer::Annotations annotations_of(const infer::Generated& generated,
                                  const std::vector<infer::GenerationInput>& inputs,
                                  const std::vector<std::string>& names,
                                  const models::MetadataModel& model) {
  infer::Annotations annotations;
  std::vector<std::string> input;
  for (const auto i : generated.input) input.push_back(names[i]);
  annotations.obs.push_back(infer::text_column("input", input));
  for (const auto& field : model.metadata_fields()) {
    std::vector<std::string> texts;
    for (const auto i : generated.input) {
      const auto found = inputs[i].metadata.find(field.name);
      texts.push_back(found == inputs[i].metadata.end() ? std::string() : found->second);
    }
    if (std::any_of(texts.begin(), texts.end(), [](const auto& text) { return !text.empty(); }))
      annotations.obs.push_back(infer::text_column(field.name, texts));
  }
  infer::Predictions latents;
  latents.latents = generated.latents;
  infer::add_predictions(annotations, latents, infer::Distribution::kNo);
  return annotations;
}

}  // namespace

int generate_command(comm::World& world, const Arguments& arguments) {
  GenerateOptions o;
  config::CommandLine line(
      "cellmill generate",
      "Which counts would samples of these metadata have? From metadata alone (--set or --table),\n"
      "or beside a reference sample, whose biology and technique are kept while the perturbation\n"
      "changes (--reference).");
  o.declare(line);
  if (!line.parse(arguments)) {
    say(world, line.help());
    return 0;
  }
  const auto options = o.asked();
  const bool json = o.output.ends_with(".json");
  json ? infer::check_result_folder(o.output) : infer::check_result_path(o.output);
  infer::LoadedModel loaded = infer::load_model(o.checkpoint, o.device);
  auto& model = infer::metadata_model(loaded);
  std::vector<std::string> names;
  const auto inputs = inputs_of(o, loaded, model, names);
  const auto generated = infer::generate(model, inputs, options, loaded.device);
  if (json) {
    io::write_text_atomically(o.output,
                              infer::json_of(generated, inputs, infer::facts_of(loaded)) + "\n");
  } else {
    std::vector<std::string> samples;
    for (std::size_t i = 0; i < generated.input.size(); ++i)
      samples.push_back(fmt::format("sample{}", i));
    const auto answer =
        infer::make_result_file(o.output, {samples, loaded.vocabulary.genes, {"X"}});
    answer->append("X", generated.counts.to(at::kFloat));
    auto annotations = annotations_of(generated, inputs, names, model);
    annotations.facts = infer::origin_facts("generate", loaded,
                                            o.reference.path.empty() ? o.table : o.reference.path);
    answer->finish(annotations);
  }
  say(world,
      fmt::format("{} samples of {} inputs: {}", generated.input.size(), inputs.size(), o.output));
  return 0;
}

}  // namespace cellmill::app
