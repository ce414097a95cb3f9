#pragma once
// Golden cases: five training steps of a model whose every output, loss, gradient,
// moment and step count another implementation (plain PyTorch, tools/golden) wrote down. A case
// runs through the same Stepper as training.
#include <c10/core/Device.h>

#include <string>

namespace cellmill::train {

struct GoldenResult {
  enum class Verdict { kPassed, kFailed, kSkipped } verdict = Verdict::kPassed;
  std::string text;  ///< what differs most, or why it was skipped
};

/// Runs one NAME.f32.safetensors or NAME.f64.safetensors in a form of the step, where the model has
/// several (plain | dense | factored). How much may differ the case says.
GoldenResult run_golden(const std::string& path, const std::string& compute, c10::Device device);

}  // namespace cellmill::train
