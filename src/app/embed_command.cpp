#include <ATen/Parallel.h>

#include "app/command.h"
#include "app/embedding_run.h"
#include "app/encoder_question.h"
#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "front/overview.h"
#include "io/files.h"
#include "io/json.h"

namespace cellmill::app {
namespace {

using config::Need;

struct EmbedWords : EncoderQuestion {
  std::string method = "packed";
  std::int64_t batch_size = 0, batch_tokens = infer::EmbeddingOptions().batch_tokens;
  bool per_cell = false;

  void declare(config::CommandLine& line) {
    declare_data(line);
    line.option("output", &output, "embeddings: .npz or .h5ad; NAME.json beside it says how made",
                Need::kRequired);
    declare_layer(line);
    line.option(
        "mode", &mode,
        "cell: mean of a cell's genes; cls: its <cls> (V2); gene: a vector a gene, the mean "
        "over cells",
        Need::kOptional, config::one_of({"cell", "cls", "gene"}));
    line.option("per-cell", &per_cell, "mode gene: a vector a gene and cell instead (.npz)");
    line.heading("How it is computed");
    line.option("method", &method,
                "packed: without padding; the others with LibTorch's own operations, to compare: "
                "baseline (padded batches in the order of the file), batching (of like lengths), "
                "mixed_precision (these in bfloat16)",
                Need::kOptional,
                config::one_of({"packed", "baseline", "batching", "mixed_precision"}));
    line.option("batch-size", &batch_size, "cells of a padded batch; 0: 10 for baseline, else 32",
                Need::kOptional, config::at_least(0));
    line.option("batch-tokens", &batch_tokens, "tokens of a packed batch", Need::kOptional,
                config::at_least(1));
    declare_model(line);
    line.heading("The cells");
    declare_cells(line, "genes");
  }

  infer::Method the_method() const {
    return method == "packed"     ? infer::Method::kPacked
           : method == "baseline" ? infer::Method::kBaseline
           : method == "batching" ? infer::Method::kBatching
                                  : infer::Method::kMixedPrecision;
  }

  void check() const {
    const bool packed = method == "packed";
    if (!packed && precision != "float32")
      throw UsageError("--precision is of --method packed, not of " + method,
                       "mixed_precision computes in bfloat16");
    if (packed && batch_size > 0)
      throw UsageError("--batch-size is of padded batches; --method packed goes by --batch-tokens");
    if (per_cell && (mode != "gene" || !output.ends_with(".npz")))
      throw UsageError("--per-cell is for --mode gene and an .npz");
    infer::check_embedding_path(output);
    EncoderQuestion::check();
  }

  infer::EmbeddingOptions options(std::int64_t layers) const {
    infer::EmbeddingOptions o;
    o.method = the_method();
    o.pooling = mode == "cell"  ? infer::Pooling::kCell
                : mode == "cls" ? infer::Pooling::kCls
                                : infer::Pooling::kGene;
    o.layer = hidden_state(layers);
    o.precision = dtype();
    o.batch_cells = batch_size;
    o.batch_tokens = batch_tokens;
    return o;
  }
};

io::Json facts_of(const EmbedWords& words, const infer::OpenedEncoder& opened,
                  const infer::EmbeddingOptions& options) {
  const auto precision = infer::precision_of(options);
  io::Json facts{{"program", "cellmill"},
                 {"version", front::answer("--version")},
                 {"model", opened.where.string()},
                 {"data", words.cells.path},
                 {"mode", words.mode},
                 {"emb_layer", words.emb_layer},
                 {"layer_convention", words.convention},
                 {"hidden_state", options.layer},
                 {"layers", opened.encoder->layers()},
                 {"method", words.method},
                 {"precision", precision == at::kFloat ? "float32" : "bfloat16"},
                 {"width", opened.encoder->width()}};
  if (options.method == infer::Method::kPacked)
    facts["batch_tokens"] = options.batch_tokens;
  else
    facts["batch_size"] = infer::batch_cells_of(options);
  return facts;
}

}  // namespace

int embed_command(comm::World& world, const Arguments& arguments) {
  EmbedWords words;
  config::CommandLine line(
      "cellmill embed",
      "Where does a rank encoder (Geneformer) place these cells? Raw counts are turned into "
      "ranked\n"
      "gene tokens on the way. Under mpirun the ranks share the cells; the order is the file's.");
  words.declare(line);
  if (!line.parse(arguments)) {
    say(world, line.help());
    return 0;
  }
  words.check();
  comm::set_phase("opening the model");
  const auto opened = words.open(world);
  const auto options = words.options(opened.encoder->layers());
  infer::check_pooling(options.pooling, opened.encoder->rank_options());
  words.cells.threads = at::get_num_threads();
  comm::set_phase("opening the cells");
  std::unique_ptr<infer::CellSequences> cells;
  comm::agree(*world.host_world, [&] {
    cells = std::make_unique<infer::CellSequences>(words.cells, opened.encoder->dictionary(),
                                                   opened.encoder->rank_options());
  });
  log::info("hidden state {} of {} ({} in the convention {})", options.layer,
            opened.encoder->layers(), words.emb_layer, words.convention);
  auto facts = facts_of(words, opened, options);
  EmbeddingRun run{world, *cells, *opened.encoder, options, words.output};
  for (const auto& [name, value] : facts.items())
    run.facts["cellmill_" + name] = value.is_string() ? value.get<std::string>() : value.dump();
  run.per_cell = words.per_cell;
  const auto count = embed(run);
  if (count.without_genes > 0)
    log::warn("{} cells have no gene of the dictionary: their embeddings are NaN",
              count.without_genes);
  facts["cells"] = cells->cells();
  facts["rows"] = count.rows;
  facts["cells_without_genes"] = count.without_genes;
  facts["ranks"] = world.size;
  facts["device"] = world.device.str();
  facts["seconds"] = count.seconds;
  facts["cells_per_second"] = static_cast<double>(cells->cells()) / count.seconds;
  comm::agree(*world.host_world, [&] {
    if (world.rank == 0)
      io::write_text_atomically(infer::metadata_path(words.output), facts.dump(2) + "\n");
  });
  say(world, fmt::format("{} rows of {} numbers, {:.1f} s, {:.1f} cells/s: {}", count.rows,
                         opened.encoder->width(), count.seconds,
                         facts["cells_per_second"].get<double>(), words.output));
  return 0;
}

}  // namespace cellmill::app
