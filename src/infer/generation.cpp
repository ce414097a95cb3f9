#include "infer/generation.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/format.h"
#include "base/nearest.h"
#include "base/random.h"
#include "infer/answer_parts.h"
#include "infer/factor_prediction.h"

namespace cellmill::infer {
namespace {

constexpr std::int64_t kSamplesAtOnce = 256;

void check_metadata(const models::MetadataModel& model, const GenerationInput& input,
                    const std::string& path, const GenerationOptions& options,
                    std::vector<RequestProblem>& problems) {
  const auto& fields = model.metadata_fields();
  for (const auto& [name, text] : input.metadata) {
    const auto place = path + ".metadata." + name;
    const auto field =
        std::find_if(fields.begin(), fields.end(), [&](const auto& f) { return f.name == name; });
    if (field == fields.end()) {
      std::vector<std::string> names;
      for (const auto& f : fields) names.push_back(f.name);
      const auto nearest = did_you_mean(name, names);
      problems.push_back({place, "the model has no such field" +
                                     (nearest.empty() ? std::string() : "; " + nearest)});
      continue;
    }
    if (input.reference.defined() && options.conditioning[field->group])
      problems.push_back(
          {place, fmt::format("the {} latent comes from the reference; leave the field out",
                              models::kMetadataGroupNames[field->group])});
    else if (const auto problem = model.problem_with(field - fields.begin(), text))
      problems.push_back({place, *problem});
  }
}

void check_reference(const at::Tensor& counts, const std::string& path,
                     std::vector<RequestProblem>& problems) {
  const auto own = counts.to(at::kDouble);
  if (!at::isfinite(own).all().item<bool>() || (own < 0).any().item<bool>() ||
      (own != at::floor(own)).any().item<bool>())
    problems.push_back({path + ".counts", "counts are whole numbers of at least 0"});
  else if (own.sum().item<double>() == 0)
    problems.push_back({path + ".counts", "the reference has no counts at all"});
}

/// One sample: which input it answers, and how.
struct Sample {
  std::size_t input;
  std::uint64_t seed;
  double total;
};

std::vector<Sample> samples_of(const models::MetadataModel& model,
                               const std::vector<GenerationInput>& inputs,
                               const GenerationOptions& options) {
  const double asked = options.total_count.value_or(default_total_count(model));
  std::vector<Sample> samples;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const bool own = inputs[i].reference.defined() && !options.fixed_total_count;
    const double total = own ? inputs[i].reference.sum(at::kDouble).item<double>() : asked;
    for (std::int64_t n = 0; n < inputs[i].num_samples; ++n)
      samples.push_back(
          {i, random::bits(random::Use::kNoise, {options.seed, i, static_cast<std::uint64_t>(n)}),
           total});
  }
  return samples;
}

struct Part {
  at::Tensor counts;
  std::array<at::Tensor, models::kMetadataGroups> latents;
};

Part generate_part(models::MetadataModel& model, const std::vector<GenerationInput>& inputs,
                   const GenerationOptions& options, c10::Device device, const Sample* first,
                   std::int64_t count) {
  models::Recipe recipe;
  std::vector<at::Tensor> references;
  std::vector<double> totals;
  std::vector<std::uint64_t> seeds;
  for (const Sample* s = first; s != first + count; ++s) {
    recipe.metadata.push_back(inputs[s->input].metadata);
    if (const auto& reference = inputs[s->input].reference; reference.defined())
      references.push_back(reference);
    totals.push_back(s->total);
    seeds.push_back(s->seed);
  }
  if (!options.deterministic_latents) recipe.seeds = seeds;
  data::Batch reference;
  if (!references.empty()) {
    reference = on_device(batch_of_counts(at::stack(references)), device);
    recipe.reference = &reference;
    recipe.from_reference = options.conditioning;
  }
  const auto draft = model.generate(recipe);
  Part part;
  for (std::size_t g = 0; g < models::kMetadataGroups; ++g)
    part.latents[g] = draft.latents[g].defined() ? draft.latents[g].to(at::kCPU, at::kFloat)
                                                 : at::empty({count, 0}, at::kFloat);
  const auto counts = options.sampling == Sampling::kSample
                          ? model.draw(draft.decoded, totals, seeds)
                          : at::round(model.proportions(draft.decoded).cpu() *
                                      at::tensor(totals, at::kDouble).unsqueeze(1));
  part.counts = counts.to(at::kLong);
  return part;
}

}  // namespace

double default_total_count(const models::MetadataModel& model) {
  return model.modality() == "bulk" ? 1e7 : 1e4;
}

std::optional<Sampling> sampling_named(const std::string& text) {
  if (text == "mean estimation") return Sampling::kMean;
  if (text == "sample generation") return Sampling::kSample;
  return {};
}

std::vector<RequestProblem> problems_of(const models::MetadataModel& model,
                                        const std::vector<GenerationInput>& inputs,
                                        const GenerationOptions& options) {
  std::vector<RequestProblem> problems;
  if (options.sampling == Sampling::kSample && model.modality() != "bulk")
    problems.push_back({"sampling_strategy",
                        "'sample generation' is for bulk models; this one is of single cells: "
                        "'mean estimation'"});
  if (options.total_count && !(*options.total_count > 0 && *options.total_count <= 1e15))
    problems.push_back({"total_count", "a number above 0, at most 1e15"});
  if (inputs.empty()) problems.push_back({"inputs", "at least one"});
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto path = fmt::format("inputs[{}]", i);
    if (inputs[i].num_samples < 1)
      problems.push_back({path + ".num_samples", "a whole number of at least 1"});
    if (inputs[i].reference.defined() != inputs.front().reference.defined())
      problems.push_back({path + ".counts", "a reference for every input, or for none"});
    else if (inputs[i].reference.defined())
      check_reference(inputs[i].reference, path, problems);
    check_metadata(model, inputs[i], path, options, problems);
  }
  return problems;
}

Generated generate(models::MetadataModel& model, const std::vector<GenerationInput>& inputs,
                   const GenerationOptions& options, c10::Device device) {
  if (const auto problems = problems_of(model, inputs, options); !problems.empty())
    throw UsageError(problems.front().path + ": " + problems.front().message);
  const at::NoGradGuard no_gradients;
  const auto samples = samples_of(model, inputs, options);
  const auto count = static_cast<std::int64_t>(samples.size());
  std::vector<at::Tensor> counts;
  std::array<std::vector<at::Tensor>, models::kMetadataGroups> latents;
  for (std::int64_t begin = 0; begin < count; begin += kSamplesAtOnce) {
    const auto part = generate_part(model, inputs, options, device, samples.data() + begin,
                                    std::min(kSamplesAtOnce, count - begin));
    counts.push_back(part.counts);
    for (std::size_t g = 0; g < latents.size(); ++g) latents[g].push_back(part.latents[g]);
  }
  Generated answer;
  answer.counts = at::cat(counts);
  for (std::size_t g = 0; g < latents.size(); ++g) answer.latents[g] = at::cat(latents[g]);
  for (const auto& sample : samples) {
    answer.input.push_back(sample.input);
    answer.total_count.push_back(sample.total);
  }
  return answer;
}

}  // namespace cellmill::infer
