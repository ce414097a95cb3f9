#include "app/encoder_question.h"

#include <filesystem>

#include "base/error.h"
#include "train/trainer.h"

namespace cellmill::app {

using config::Need;

void EncoderQuestion::declare_data(config::CommandLine& line) {
  line.positional("MODEL", &model, "a run, a checkpoint or a Hugging Face folder");
  line.positional("DATA", &cells.path,
                  "raw counts: .h5ad, .csv or .tsv, a 10x folder, .npz, a folder of .npz chunks, "
                  "or a .cmpack store; or a token store");
}

void EncoderQuestion::declare_layer(config::CommandLine& line) {
  line.option("emb-layer", &emb_layer, "counted as --layer-convention says");
  line.option("layer-convention", &convention,
              "upstream: 0 is the last layer, -1 the one before; helical: -1 is the last layer, 0 "
              "the input's embeddings",
              Need::kOptional, config::one_of({"upstream", "helical"}));
}

void EncoderQuestion::declare_cells(config::CommandLine& line, const std::string& gene_names) {
  line.option("columns", &cells.columns, "labels to keep; default: all categories that DATA has");
  line.option("allow-fractions", &cells.fractions,
              "take values that are no whole numbers, as estimated counts");
  line.option("layer", &cells.layer, "h5ad: 'raw' or the name of a layer instead of X");
  line.option("gene-column", &cells.gene_column,
              "h5ad: the column of var that names genes, as ensembl_id; default: its index");
  line.option("orientation", &cells.orientation, "csv: what a row is", Need::kOptional,
              config::one_of({"auto", "genes_by_samples", "samples_by_genes"}));
  line.option("metadata", &cells.metadata,
              "npz: folder made by tools/preprocess_metadata, for the labels");
  line.option(gene_names, &cells.genes,
              "npz: gene names, one a line (default: genes.txt beside it)");
}

void EncoderQuestion::declare_model(config::CommandLine& line) {
  line.option("dictionary", &dictionary,
              "genes of a Hugging Face folder that has no genes.json (tools/gene_dictionary)");
  line.option("precision", &precision, "of products", Need::kOptional,
              config::one_of({"float32", "bfloat16"}));
  line.option("device", &device, "where the model runs", Need::kOptional,
              config::one_of({"auto", "cpu", "cuda"}));
}

void EncoderQuestion::check() const {
  std::error_code ignored;
  if (std::filesystem::equivalent(cells.path, output, ignored))
    throw UsageError("--output " + output + " would overwrite the cells");
}

std::int64_t EncoderQuestion::hidden_state(std::int64_t layers) const {
  return infer::hidden_layer(emb_layer,
                             convention == "upstream" ? infer::LayerConvention::kUpstream
                                                      : infer::LayerConvention::kHelical,
                             layers);
}

at::ScalarType EncoderQuestion::dtype() const {
  return precision == "float32" ? at::kFloat : at::kBFloat16;
}

infer::OpenedEncoder EncoderQuestion::open(comm::World& world) const {
  const auto place = train::choose_device(world, device);
  infer::OpenedEncoder opened;
  comm::agree(*world.host_world, [&] {
    opened = infer::open_encoder(model, dictionary, "cpu");
    opened.model->to(place);
  });
  return opened;
}

}  // namespace cellmill::app
