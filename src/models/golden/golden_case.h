#pragma once
// A golden case: training steps of a model whose every output, loss, gradient and moment another
// implementation (plain PyTorch) wrote into one file. A case knows its model, how the
// file's inputs become losses, and what the file calls our tensors; train/golden.h runs and judges
// it.
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "io/json.h"
#include "models/model.h"

namespace cellmill::models {

/// How far float64 and float32 may differ. `by_element`: parameters and moments after steps are
/// judged by element (where a gradient is near zero Adam's step is a ratio of rounding errors, so
/// that float32 may differ by a part of learning rate times steps), else by norm as all the rest.
struct GoldenTolerance {
  double wide = 1e-10, single = 2e-5;
  bool by_element = true;
  double learning_rate = 0;  ///< the largest
  double floor = 1e-9;       ///< norms below it count as it
};

class GoldenCase {
 public:
  using Compare = std::function<void(const std::string& name, const at::Tensor& ours,
                                     const at::Tensor& expected)>;
  virtual ~GoldenCase() = default;
  virtual Model& model() = 0;
  /// Of a step's inputs, on the device.
  virtual Losses losses(int step, c10::Device device, const StepContext& context) = 0;
  /// What the last `losses` left besides, and what else the file has; after its backward pass.
  virtual void compare_outputs(const Compare& compare) = 0;
  /// Ours, as in StepResult::losses, and the file's "loss/...".
  virtual std::map<std::string, std::string> loss_names() const = 0;
  /// "moment1", "moment2" and "steps" of the optimiser.
  virtual std::map<std::string, std::string> moment_names() const = 0;
  virtual std::string parameter_name(const std::string& ours) const { return ours; }
  virtual GoldenTolerance tolerance() const = 0;
  /// That the file has losses of; of the first it has gradients. 0: it has outputs alone.
  virtual int steps() const { return 5; }

  const at::Tensor& tensor(const std::string& name) const { return tensors.at(name); }
  std::string unsupported;  ///< why the case cannot run, or empty
  at::ScalarType dtype = at::kFloat;
  std::map<std::string, at::Tensor> tensors;
};

/// Reads a file of any model; `compute` is a form of the step, where the model has several (plain |
/// dense | factored). Throws DataError.
std::unique_ptr<GoldenCase> read_golden(const std::string& path, const std::string& compute);

/// The models' own readers, of the "config" that the file's header holds.
std::unique_ptr<GoldenCase> read_cycle_case(const io::Json& config,
                                            std::map<std::string, at::Tensor> tensors,
                                            const std::string& compute);
std::unique_ptr<GoldenCase> read_factor_case(const io::Json& config,
                                             std::map<std::string, at::Tensor> tensors,
                                             double float32_differs);
/// Of the folder that holds the case, config.json and model.safetensors.
std::unique_ptr<GoldenCase> read_rank_case(const std::filesystem::path& folder,
                                           std::map<std::string, at::Tensor> tensors);

}  // namespace cellmill::models
