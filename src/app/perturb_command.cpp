#include <ATen/Parallel.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "app/command.h"
#include "app/encoder_question.h"
#include "app/perturbation_run.h"
#include "base/error.h"
#include "base/format.h"
#include "base/nearest.h"
#include "infer/pooling.h"
#include "io/digest.h"
#include "io/files.h"

namespace cellmill::app {
namespace {

using config::Need;

struct PerturbWords : EncoderQuestion {
  std::vector<std::string> genes;
  std::string kind = "delete", anchor;
  std::int64_t shift = 1;
  bool group = false;
  std::int64_t batch_tokens = 0, block_tokens = 0;
  infer::SurveyOptions survey;

  void declare(config::CommandLine& line) {
    declare_data(line);
    line.option("genes", &genes,
                "symbols or Ensembl ids, by comma or repeated, or a file of one a line; all: each "
                "gene of a cell",
                Need::kRequired);
    line.option("output", &output, "answer: .h5ad, .npz or .csv", Need::kRequired);
    line.heading("The perturbation");
    line.option("kind", &kind,
                "delete: taken out; overexpress: to the first rank, put in where it is absent; "
                "inhibit, activate: by --shift quarters of the ranks",
                Need::kOptional, config::one_of({"delete", "overexpress", "inhibit", "activate"}));
    line.option("shift", &shift, "inhibit, activate: to the middle of the next quarter, or further",
                Need::kOptional, config::between(1, 3));
    line.option("group", &group, "the genes together, in cells that have all of them");
    line.option("anchor", &anchor,
                "each gene alone, this one alone, and both together, in cells that have it");
    line.heading("What is compared");
    line.option("mode", &mode,
                "cell: mean of the genes that were not perturbed; cls: the <cls> token (V2); gene: "
                "each of those genes, its mean and deviation over cells",
                Need::kOptional, config::one_of({"cell", "cls", "gene"}));
    declare_layer(line);
    line.option(
        "state", &survey.states.field,
        "a label of the cells; those of --start are perturbed, and it is asked whether they "
        "come nearer to the mean cell of --goal");
    line.option("start", &survey.states.start, "category of --state");
    line.option("goal", &survey.states.goal, "category of --state");
    line.option("alternatives", &survey.states.alternatives,
                "more categories of --state, by comma or repeated");
    line.option("state-cells", &survey.state_cells,
                "cells of a state that its mean is taken over, drawn by seed 42; 0: all",
                Need::kOptional, config::at_least(0));
    line.heading("The cells");
    line.option("max-cells", &survey.max_cells,
                "perturb so many, drawn by seed 42 from those that can be; 0: all", Need::kOptional,
                config::at_least(0));
    declare_cells(line, "gene-names");
    line.heading("How it is computed");
    declare_model(line);
    line.option("batch-tokens", &batch_tokens,
                "tokens that go through the model at a time; 0: 4,096, with CUDA 65,536",
                Need::kOptional, config::at_least(0));
    line.option(
        "block-tokens", &block_tokens,
        "tokens between two saves, what an interruption costs a rank at most; 0: 32 batches",
        Need::kOptional, config::at_least(0));
  }

  void settle(const at::Device& place) {
    if (batch_tokens == 0) batch_tokens = place.is_cuda() ? 65536 : 4096;
    if (block_tokens == 0) block_tokens = 32 * batch_tokens;
  }

  /// Refuses what can be refused before any work.
  void check() const {
    const bool moves = kind == "inhibit" || kind == "activate";
    if (!moves && shift != 1)
      throw UsageError("--shift is for --kind inhibit and activate, not for " + kind);
    if (group && !anchor.empty())
      throw UsageError("--group and --anchor cannot be combined",
                       "add the anchor to the group: --genes A,B,ANCHOR --group");
    if (group && genes == std::vector<std::string>{"all"})
      throw UsageError("--group with --genes all would leave nothing to compare");
    const auto& s = survey.states;
    if (s.field.empty() && !(s.start.empty() && s.goal.empty() && s.alternatives.empty()))
      throw UsageError("--start, --goal and --alternatives are categories of --state FIELD");
    if (!s.field.empty() && (s.start.empty() || s.goal.empty()))
      throw UsageError("--state " + s.field + " needs --start and --goal");
    if (!s.field.empty() && mode == "gene")
      throw UsageError("--mode gene compares genes with themselves: it knows no --state",
                       "leave --mode away");
    infer::check_result_path(output);
    EncoderQuestion::check();
  }

  /// "A,B C" and files of names as one list.
  std::vector<std::string> gene_names() const {
    std::vector<std::string> names;
    for (const std::string& word : genes) {
      const bool is_file = std::filesystem::is_regular_file(word);
      std::istringstream text(is_file ? io::read_text(word) : word);
      for (std::string name; std::getline(text, name, is_file ? '\n' : ',');) {
        while (!name.empty() && (name.back() == '\r' || name.back() == ' ')) name.pop_back();
        if (!name.empty()) names.push_back(name);
      }
    }
    return names;
  }

  static std::vector<std::string> split(const std::vector<std::string>& words) {
    std::vector<std::string> out;
    for (const std::string& word : words) {
      std::istringstream text(word);
      for (std::string part; std::getline(text, part, ',');) out.push_back(part);
    }
    return out;
  }
};

std::int32_t token_of(const std::string& name, const std::string& option,
                      const data::GeneFinder& finder, const data::GeneDictionary& dictionary) {
  if (const auto token = finder.find(name)) return *token;
  std::vector<std::string> known;
  for (std::size_t t = 0; t < dictionary.tokens.size(); ++t)
    if (dictionary.is_gene(static_cast<std::int32_t>(t))) known.push_back(dictionary.tokens[t]);
  for (const auto& [symbol, gene] : dictionary.names) known.push_back(symbol);
  const std::string meant = nearest(name, known);
  throw UsageError(
      fmt::format("--{} {}: the model's dictionary has no such gene", option, name),
      meant.empty() ? "symbols and Ensembl ids are known" : "did you mean " + meant + "?");
}

infer::PerturbationQuestion question_of(const PerturbWords& words,
                                        const models::SequenceEncoder& encoder) {
  const auto& dictionary = encoder.dictionary();
  const data::GeneFinder finder(dictionary);
  infer::PerturbationQuestion question;
  question.rules = {infer::move_named(words.kind), words.shift, encoder.rank_options().max_length,
                    encoder.rank_options().special_tokens};
  question.together = words.group;
  if (!words.anchor.empty()) question.anchor = token_of(words.anchor, "anchor", finder, dictionary);
  const auto names = words.gene_names();
  if (names.empty()) throw UsageError("--genes names no gene");
  if (names == std::vector<std::string>{"all"}) return question;
  for (const std::string& name : names) {
    const auto token = token_of(name, "genes", finder, dictionary);
    auto& genes = question.genes;
    if (std::find(genes.begin(), genes.end(), token) == genes.end()) genes.push_back(token);
  }
  if (question.genes == infer::GeneSet{question.anchor})
    throw UsageError("--genes names the anchor alone", "name the genes to combine it with, or all");
  return question;
}

infer::PerturbationRules rules_of(const PerturbWords& words,
                                  const models::SequenceEncoder& encoder) {
  infer::PerturbationRules rules;
  rules.layer = words.hidden_state(encoder.layers());
  rules.budget = words.batch_tokens;
  rules.special_tokens = encoder.rank_options().special_tokens;
  rules.every_gene = words.mode == "gene";
  if (words.mode == "cls") {
    infer::check_pooling(infer::Pooling::kCls, encoder.rank_options());
    rules.vector = infer::CellVector::kCls;
  }
  return rules;
}

/// Of the files of a model, so that an interrupted job does not go on with another one.
std::string model_digest(const std::filesystem::path& where) {
  std::string all;
  for (const char* name : {"model.safetensors", "config.json", "manifest.json", "state.h5"})
    if (std::filesystem::exists(where / name)) all += io::digest_file((where / name).string());
  return io::digest(all);
}

std::map<std::string, std::string> facts_of(const PerturbWords& words,
                                            const infer::OpenedEncoder& opened,
                                            const infer::PerturbationRules& rules) {
  std::map<std::string, std::string> facts = {
      {"command", "perturb"},
      {"model", opened.where.string()},
      {"model_digest", model_digest(opened.where)},
      {"data", words.cells.path},
      {"kind", words.kind},
      {"shift", std::to_string(words.shift)},
      {"mode", words.mode},
      {"hidden_state", fmt::format("{} of {}", rules.layer, opened.encoder->layers())},
      {"emb_layer", fmt::format("{} ({})", words.emb_layer, words.convention)},
      {"precision", words.precision}};
  if (!words.anchor.empty()) facts["anchor"] = words.anchor;
  if (words.group) facts["group"] = "true";
  const auto& states = words.survey.states;
  if (!states.field.empty()) {
    facts["state"] = states.field;
    facts["start_state"] = states.start;
    facts["goal_state"] = states.goal;
    for (const std::string& name : states.alternatives)
      facts["alternative_states"] += (facts["alternative_states"].empty() ? "" : "\n") + name;
  }
  return facts;
}

}  // namespace

int perturb_command(comm::World& world, const Arguments& arguments) {
  PerturbWords words;
  config::CommandLine line(
      "cellmill perturb",
      "What would a rank encoder (Geneformer) make of these cells without a gene, or with more of\n"
      "it? Every gene asked for is moved in every cell, alone or together, and the cell's and its\n"
      "other genes' embeddings are compared before and after. Under mpirun the ranks share the\n"
      "work; a job that was ended goes on with the same command. tools/perturbation_statistics\n"
      "makes tables of what this writes.");
  words.declare(line);
  if (!line.parse(arguments)) {
    say(world, line.help());
    return 0;
  }
  words.survey.states.alternatives = PerturbWords::split(words.survey.states.alternatives);
  words.check();
  comm::set_phase("opening the model");
  const auto opened = words.open(world);
  comm::agree(*world.host_world, [&] { opened.encoder->freeze(words.dtype()); });
  words.settle(world.device);
  const auto question = question_of(words, *opened.encoder);
  const auto rules = rules_of(words, *opened.encoder);
  words.cells.threads = at::get_num_threads();
  comm::set_phase("opening the cells");
  std::unique_ptr<infer::CellSequences> cells;
  comm::agree(*world.host_world, [&] {
    cells = std::make_unique<infer::CellSequences>(words.cells, opened.encoder->dictionary(),
                                                   opened.encoder->rank_options());
  });
  return perturb({world, *cells, *opened.encoder, question, words.survey, rules, words.block_tokens,
                  words.output, facts_of(words, opened, rules)});
}

}  // namespace cellmill::app
