#pragma once
// A trained model from a checkpoint alone: its settings, vocabulary and genes are those that the
// checkpoint holds. Digests are verified before anything is read.
#include <c10/core/Device.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "data/chunk.h"
#include "models/model.h"

namespace cellmill::infer {

/// The checkpoint that a user means by a path: a checkpoint folder itself, a `checkpoints/` folder,
/// or a run folder; of several the one that best.json marks, else the newest that verifies. Why
/// others were passed over is appended to `notes`. Throws DataError (66) if there is none.
std::filesystem::path find_checkpoint(const std::filesystem::path& where,
                                      std::vector<std::string>& notes);

struct LoadedModel {
  std::unique_ptr<models::Model> model;
  data::Vocabulary vocabulary;
  std::filesystem::path checkpoint;
  std::int64_t step = 0, epoch = 0;
  std::string config;  ///< effective run file
  c10::Device device = c10::kCPU;
};

/// `device`: auto (CUDA where there is one), cpu or cuda. Throws DataError if a tensor is missing
/// or of another shape than the settings say.
LoadedModel load_model(const std::filesystem::path& where, const std::string& device);

/// auto, cpu or cuda; throws UsageError for cuda where there is none.
c10::Device pick_device(const std::string& name);

/// "cycle_autoencoder, ...": the models of the table that can; "" if none can.
std::string models_that(bool (*can)(models::Model&));

/// The model as what it can do. Throws UsageError that names the models that can; `ability` reads
/// "generate counterfactuals".
template <class Capability>
Capability& require(LoadedModel& loaded, const std::string& ability) {
  if (auto* capable = dynamic_cast<Capability*>(loaded.model.get())) return *capable;
  const std::string names = models_that(
      [](models::Model& model) { return dynamic_cast<Capability*>(&model) != nullptr; });
  throw UsageError("the model " + loaded.model->name() + " cannot " + ability,
                   names.empty() ? "no model can" : "models that can: " + names);
}

}  // namespace cellmill::infer
