// What a trained factor model says of cells: probabilities of every field (obsm probability_FIELD),
// the latents' means (obsm latent_GROUP), and, with --set FIELD=VALUE, what it generates: layer
// `reference` with the cells' own biological and technical latents, `metadata` with none. An empty
// value leaves the field blank. log1p of scaled counts, from the decoder's means.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <iostream>

#include "config/command_line.h"
#include "infer/input.h"
#include "infer/load_model.h"
#include "infer/result_file.h"
#include "models/factor_model.h"

using namespace cellmill;

namespace {

struct Asked {
  std::string checkpoint, output;
  infer::InputOptions input;
  std::vector<std::string> set;
};

void set_labels(data::Batch& batch, const data::Vocabulary& vocabulary, const std::string& pair) {
  const auto name = pair.substr(0, pair.find('=')), value = pair.substr(pair.find('=') + 1);
  for (std::size_t f = 0; f < vocabulary.fields.size(); ++f) {
    const auto& [field, texts] = vocabulary.fields[f];
    if (field != name) continue;
    const auto found = std::find(texts.begin(), texts.end(), value);
    batch.labels.select(1, static_cast<std::int64_t>(f))
        .fill_(found == texts.end() ? -1 : found - texts.begin());
  }
}

int answer(const Asked& asked) {
  const at::NoGradGuard no_gradients;
  auto loaded = infer::load_model(asked.checkpoint, "cpu");
  auto& model = dynamic_cast<models::FactorModel&>(*loaded.model);
  infer::Input input(asked.input, loaded.vocabulary);
  auto& network = model.network();
  const auto& fields = network.shape().fields;
  std::vector<std::string> matrices;
  if (!asked.set.empty()) matrices = {"X", "metadata"};
  auto file =
      infer::make_result_file(asked.output, {input.names(), loaded.vocabulary.genes, matrices});
  std::vector<std::vector<at::Tensor>> probability(fields.size()), latent(models::kFactorGroups);
  while (auto cells = input.next()) {
    const auto own = model.input(cells->batch);
    const auto of_fields = model.probabilities(own);
    for (std::size_t f = 0; f < fields.size(); ++f)
      if (of_fields[f].defined()) probability[f].push_back(of_fields[f]);
    const auto q = network.encode(own, {});
    for (std::size_t g = 0; g < models::kFactorGroups; ++g)
      if (network.has(g)) latent[g].push_back(q[g].mean);
    if (asked.set.empty()) continue;
    auto wanted = cells->batch;
    wanted.labels = wanted.labels.clone();
    for (const auto& pair : asked.set) set_labels(wanted, loaded.vocabulary, pair);
    const auto metadata = model.input(wanted);
    auto reference = own;
    file->append("X", model.expected(model.generate(metadata, {}, &reference)).to(at::kFloat));
    file->append("metadata", model.expected(model.generate(metadata, {})).to(at::kFloat));
  }
  infer::Annotations annotations;
  for (std::size_t f = 0; f < fields.size(); ++f)
    if (!probability[f].empty())
      annotations.obsm.push_back({"probability_" + fields[f].name, fields[f].words,
                                  at::cat(probability[f]).to(at::kFloat).contiguous()});
  for (std::size_t g = 0; g < models::kFactorGroups; ++g)
    if (!latent[g].empty()) {
      const auto all = at::cat(latent[g]).to(at::kFloat).contiguous();
      std::vector<std::string> names;
      for (std::int64_t k = 0; k < all.size(1); ++k) names.push_back(std::to_string(k));
      annotations.obsm.push_back(
          {std::string("latent_") + models::kFactorGroupNames[g], names, all});
    }
  file->finish(annotations);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Asked asked;
  config::CommandLine line("bench_factor_answers", "What a trained factor model says of cells.");
  line.option("checkpoint", &asked.checkpoint, "a run", config::Need::kRequired);
  line.option("input", &asked.input.path, "counts", config::Need::kRequired);
  line.option("output", &asked.output, "answer: .npz or .h5ad", config::Need::kRequired);
  line.option("set", &asked.set, "FIELD=VALUE of what is generated");
  line.option("min-overlap", &asked.input.min_overlap, "of the model's genes");
  try {
    if (!line.parse({argv + 1, argv + argc})) return 0;
    return answer(asked);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
