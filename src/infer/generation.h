#pragma once
// Expression generated from metadata, alone or beside a reference sample: requests in, counts out;
// no files, no text on any terminal. The words (sampling strategy, total count, conditioning, ...)
// and their defaults are those of the GEM-1 prediction API. Thread-safe once the model is frozen.
#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/metadata_model.h"

namespace cellmill::infer {

struct GenerationInput {
  models::Metadata metadata;
  at::Tensor reference;  ///< counts [genes]; undefined: from metadata alone
  std::int64_t num_samples = 1;
};

/// kMean: total count times the decoder's proportions. kSample: drawn from the likelihood about
/// them, measurement noise included (bulk alone).
enum class Sampling { kMean, kSample };

struct GenerationOptions {
  Sampling sampling = Sampling::kMean;
  std::optional<double> total_count;   ///< default: default_total_count
  bool deterministic_latents = false;  ///< means of the latents instead of draws
  std::uint64_t seed = 0;
  /// Groups whose latent comes from the reference's expression, the others' from the metadata.
  std::array<bool, models::kMetadataGroups> conditioning = {true, true, false};
  /// With a reference: false: its own total; true: total_count.
  bool fixed_total_count = false;
};

/// 10,000,000 (bulk) or 10,000 (single cell).
double default_total_count(const models::MetadataModel& model);

/// "mean estimation", "sample generation"; nothing for other texts.
std::optional<Sampling> sampling_named(const std::string& text);

/// What is wrong with a request, and where: "inputs[0].metadata.sex", "total_count".
struct RequestProblem {
  std::string path, message;
};
/// Everything that is wrong; empty: `generate` will not throw. Metadata are named by the model's
/// fields; beside a reference only those of groups that do not come from it are taken.
std::vector<RequestProblem> problems_of(const models::MetadataModel& model,
                                        const std::vector<GenerationInput>& inputs,
                                        const GenerationOptions& options);

struct Generated {
  at::Tensor counts;                ///< [samples, genes] int64
  std::vector<std::size_t> input;   ///< of each sample
  std::vector<double> total_count;  ///< that was asked for
  std::array<at::Tensor, models::kMetadataGroups>
      latents;  ///< [samples, width] float32, width >= 0
};

/// Samples in the order of the inputs. A sample is a function of its input, the options and its
/// number, whatever else is asked for beside it, but for the rounding of products of other sizes:
/// the same request gives the same bits. Throws UsageError for the first problem.
Generated generate(models::MetadataModel& model, const std::vector<GenerationInput>& inputs,
                   const GenerationOptions& options, c10::Device device = c10::kCPU);

}  // namespace cellmill::infer
