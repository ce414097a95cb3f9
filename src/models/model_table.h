#pragma once
// The table of models: name -> options -> model. A new model adds one member, one section line and
// one case here.
#include <memory>
#include <string>
#include <vector>

#include "data/chunk.h"
#include "models/cycle_autoencoder.h"
#include "models/model.h"

namespace cellmill::models {

struct ModelOptions {
  std::string name = "cycle_autoencoder";
  CycleAutoencoderOptions cycle_autoencoder;
};
void describe(config::Schema& schema, ModelOptions& options);

/// Every model of the table.
std::vector<std::string> model_names();

/// `dtype` of the parameters: float32 (float64 in tests). Initial values are a function of the seed
/// alone.
std::unique_ptr<Model> make_model(const ModelOptions& options, const data::Vocabulary& vocabulary,
                                  std::uint64_t seed, at::ScalarType dtype);

}  // namespace cellmill::models
