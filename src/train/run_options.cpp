#include "train/run_options.h"

#include "config/schema.h"

namespace cellmill::train {

using config::at_least;
using config::not_negative;
using config::one_of;

void describe(config::Schema& s, DataOptions& o) {
  describe(s, o.source);
  s.section("split", o.split, "training and validation cells");
  s.section("loader", o.loader, "background loading and shuffling");
}

void describe(config::Schema& s, LoopOptions& o) {
  s.field("global_batch", o.global_batch, "cells a step, over all ranks", at_least(1));
  s.field("epochs", o.epochs, "passes over the training cells", at_least(1));
  s.field("max_steps", o.max_steps, "end after so many steps; 0: as the epochs have", at_least(0));
  s.field("schedule", o.schedule, "of the learning rates",
          one_of({"constant", "linear", "cosine"}));
  s.field("warmup_steps", o.warmup_steps, "learning rates rise linearly over these", at_least(0));
  s.field("precision", o.precision, "of matrix products; tf32: on GPUs; float64 is for tests",
          one_of({"float32", "tf32", "bfloat16", "float64"}));
  s.field("device", o.device, "auto takes CUDA where there is a device",
          one_of({"auto", "cpu", "cuda"}));
  s.field("seed", o.seed, "of initial values, order of cells and target contexts");
  s.field("cells_at_once", o.cells_at_once,
          "a rank takes its share of a batch in pieces of at most so many cells, and adds up their "
          "gradients, to save memory; 0: at once",
          at_least(0));
  s.field(
      "deterministic", o.deterministic,
      "same_world_size: the same bits in every run of as many ranks; across_world_sizes: of any "
      "number of ranks (CPU)",
      one_of({"same_world_size", "across_world_sizes"}));
  s.field("micro_shards", o.micro_shards,
          "across_world_sizes: parts of the global batch that are each computed whole, at least as "
          "many as ranks",
          at_least(1));
  s.field("threads", o.threads,
          "of a rank; 0: the machine's cores are shared out, or 1 for across_world_sizes",
          at_least(0));
}

void describe(config::Schema& s, ReplicaOptions& o) {
  s.field("compare_every_steps", o.compare_every_steps,
          "ranks compare digests of parameters and moments; 0: before checkpoints alone",
          at_least(0));
  s.field("when_different", o.when_different,
          "go_back: to the last checkpoint, in which all ranks agreed; stop: with exit code 70",
          one_of({"go_back", "stop"}));
}

void describe(config::Schema& s, OptimizerOptions& o) {
  s.field("shard", o.shard,
          "each rank keeps the moments of, and steps, its share of the parameters; a run may be "
          "resumed "
          "with another setting or number of ranks");
  s.field("overlap", o.overlap,
          "gradients are summed over ranks while backward runs; auto: on CUDA, where it costs "
          "no processor",
          one_of({"auto", "on", "off"}));
}

void describe(config::Schema& s, EvaluationOptions& o) {
  s.field("every_steps", o.every_steps, "0: at the end of every epoch", at_least(0));
  s.field("score", o.score,
          "validation score that decides which checkpoint is best; auto: the model's own");
  s.field("higher_is_better", o.higher_is_better, "direction of the score");
  s.field("patience", o.patience, "evaluations without gain before the run ends; 0 is off",
          at_least(0));
}

void describe(config::Schema& s, CheckpointOptions& o) {
  s.field("every_steps", o.every_steps, "0: at the end of every epoch", at_least(0));
  s.field("every_minutes", o.every_minutes, "and whenever so many minutes have passed; 0 is off",
          not_negative());
  s.field("keep_last", o.keep_last, "newest checkpoints that are kept, besides the best",
          at_least(1));
  s.field("keep_every_steps", o.keep_every_steps,
          "checkpoints at multiples of so many steps are kept for good; 0: none", at_least(0));
}

void describe(config::Schema& s, OutputOptions& o) {
  s.field("folder", o.folder, "of this run: config, metrics, curves, checkpoints, logs");
  s.field("log_every_steps", o.log_every_steps, "steps between points of the training curves",
          at_least(1));
}

void describe(config::Schema& s, RunOptions& o) {
  s.section("data", o.data, "what to read");
  s.section("model", o.model, "what to train");
  s.section("train", o.train, "how to train");
  s.section("replicas", o.replicas, "do all ranks still hold the same model?");
  s.section("optimizer", o.optimizer, "how ranks share the optimiser's work");
  s.section("evaluation", o.evaluation, "held-out cells, early stopping");
  s.section("checkpoint", o.checkpoint, "when to save, what to keep");
  s.section("watchdog", o.watchdog, "how long a rank may stand still before the run ends");
  s.section("output", o.output, "where results go");
  s.rule([&o] {
    return o.data.source.raw_counts && models::takes_counts(o.model)
               ? "data.raw_counts: " + o.model.name + " normalises counts itself: leave it false"
               : std::string();
  });
}

RunOptions settled(RunOptions options) {
  if (options.evaluation.score == "auto")
    options.evaluation.score = models::default_score(options.model);
  options.data.source.takes_counts = models::takes_counts(options.model);
  options.data.source.labels_optional = models::takes_ranks(options.model);
  return options;
}

}  // namespace cellmill::train
