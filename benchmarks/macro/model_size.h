#pragma once
// The sizes that benchmarks are run at, and synthetic cells and a model of a size.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "data/chunk_source.h"
#include "models/model_table.h"

namespace cellmill::benchmarks {

struct ModelSize {
  std::int64_t genes, latent, classifier;
  std::vector<std::int64_t> categories;
  double density;
};

inline const std::map<std::string, ModelSize> kSizes = {
    {"small", {2000, 64, 128, {5, 20, 3}, 0.1}},
    {"real", {20000, 128, 256, {20, 300, 3, 60}, 0.067}},
    {"real256", {20000, 256, 256, {20, 300, 3, 60}, 0.067}},
    {"full", {60664, 512, 256, {20, 300, 3, 60}, 0.031}},
};

inline std::unique_ptr<data::ChunkSource> open_cells(const ModelSize& size, std::int64_t cells,
                                                     bool counts = false) {
  data::SourceOptions source;
  source.format = "synthetic";
  source.synthetic_cells = cells;
  source.synthetic_genes = size.genes;
  source.synthetic_categories = size.categories;
  source.synthetic_density = size.density;
  source.synthetic_counts = counts;
  source.chunk_cells = 512;
  return data::open_source(source);
}

inline std::unique_ptr<models::Model> open_model(const ModelSize& size, const std::string& compute,
                                                 const data::Vocabulary& vocabulary,
                                                 const std::string& name = "cycle_autoencoder") {
  models::ModelOptions model;
  model.name = name;
  model.factor_model.network.hidden = size.latent;
  model.cycle_autoencoder.compute = compute;
  model.cycle_autoencoder.latent = size.latent;
  model.cycle_autoencoder.classifier_hidden = {size.classifier};
  return models::make_model(model, vocabulary, 0, at::kFloat);
}

}  // namespace cellmill::benchmarks
