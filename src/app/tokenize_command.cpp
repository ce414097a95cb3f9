#include "app/command.h"
#include "app/run_files.h"
#include "data/store/tokenize.h"
#include "train/run_options.h"

namespace cellmill::app {

int tokenize_command(comm::World& world, const Arguments& arguments) {
  RunFiles run;
  std::string input, dictionary, output, layer;
  std::vector<std::string> fields;
  data::TokenizeOptions options;
  options.ranks.max_length = 0;
  config::CommandLine line(
      "cellmill tokenize",
      "Writes cells as a rank encoder (Geneformer) reads them: the tokens of their genes, highest\n"
      "count / median first. Train on the store with data.path=STORE. tools/gene_dictionary makes\n"
      "the dictionary of Geneformer's files; tools/token_dataset makes a Hugging Face `datasets`\n"
      "folder of a store.");
  line.positional("DATA", &input,
                  "counts: .h5ad, folder of .npz chunks, .cmpack store, 10x folder, table",
                  config::Need::kOptional);
  line.option("dictionary", &dictionary, "tokens, medians and names of genes: genes.json",
              config::Need::kRequired);
  line.option("output", &output, "the store: a file *.h5", config::Need::kRequired);
  line.option("max-length", &options.ranks.max_length,
              "tokens of a cell, special ones among them; 0: 2048, with --special-tokens 4096",
              config::Need::kOptional, config::at_least(0));
  line.option("special-tokens", &options.ranks.special_tokens,
              "<cls> before and <eos> behind (Geneformer V2)");
  line.option("fields", &fields,
              "labels to keep; default: all (h5ad: columns of obs with few values)");
  line.option("layer", &layer, "h5ad: 'raw' or the name of a layer instead of X");
  line.option("gene-column", &options.gene_column,
              "h5ad: the column of var that names genes, as ensembl_id; default: its index");
  line.option("all-cells", &options.all_cells,
              "h5ad: also those whose obs.filter_pass is not 1, which are left out");
  line.option("allow-fractions", &options.allow_fractions,
              "take values that are no whole numbers, as estimated counts");
  line.option("threads", &options.threads, "threads that read and rank cells; 0: one a core",
              config::Need::kOptional, config::at_least(0));
  run.declare(line);
  if (!line.parse(arguments)) {
    say(world, line.help());
    return 0;
  }
  if (world.size > 1)
    throw UsageError("cells are tokenized by one process, not by " + std::to_string(world.size),
                     "leave mpirun or srun away");
  if (options.ranks.max_length == 0)
    options.ranks.max_length = options.ranks.special_tokens ? 4096 : 2048;
  if (!input.empty()) run.settings.push_back("data.path=" + input);
  train::RunOptions settings;
  config::read(settings, run.read(world));
  data::SourceOptions source = settings.data.source;
  if (!fields.empty()) source.fields = fields;
  if (!layer.empty()) source.layer = layer;
  options.dictionary = dictionary;
  options.output = output;
  say(world, data::text_of(data::tokenize(source, options)));
  return 0;
}

}  // namespace cellmill::app
