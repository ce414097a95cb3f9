#include "models/model_table.h"

#include "base/error.h"
#include "config/schema.h"

namespace cellmill::models {

std::vector<std::string> model_names() { return {"cycle_autoencoder"}; }

void describe(config::Schema& s, ModelOptions& o) {
  s.field("name", o.name, "which model", config::one_of(model_names()));
  s.section("cycle_autoencoder", o.cycle_autoencoder,
            "additive, context-conditioned cycle autoencoder");
}

std::unique_ptr<Model> make_model(const ModelOptions& options, const data::Vocabulary& vocabulary,
                                  std::uint64_t seed, at::ScalarType dtype) {
  if (options.name == "cycle_autoencoder") {
    return std::make_unique<CycleAutoencoder>(options.cycle_autoencoder, vocabulary, seed, dtype);
  }
  throw UsageError("no model '" + options.name + "'", "models are cycle_autoencoder",
                   Exit::kConfig);
}

}  // namespace cellmill::models
