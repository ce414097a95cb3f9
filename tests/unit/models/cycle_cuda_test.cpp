// CUDA against the CPU, in float64: where this build and machine have a device.
#include <ATen/ATen.h>

#include <catch2/catch.hpp>

#include "../cuda_device.h"
#include "models/cycle_autoencoder.h"

using namespace cellmill;

namespace {

constexpr std::int64_t kGenes = 40, kCells = 16;

data::Batch batch_on(at::Device device) {
  at::manual_seed(5);
  const auto dense = at::relu(at::randn({kCells, kGenes}, at::kDouble));
  const auto entries = dense.nonzero();
  data::Batch b;
  b.indptr = at::zeros({kCells + 1}, at::kLong);
  b.indptr.slice(0, 1).copy_((dense > 0).sum(1).cumsum(0));
  b.indices = entries.select(1, 1).to(at::kInt).contiguous();
  b.values = dense.index({entries.select(1, 0), entries.select(1, 1)});
  b.labels = at::randint(-1, 4, {kCells, 2}, at::kLong);
  for (auto* tensor : {&b.indptr, &b.indices, &b.values, &b.labels}) *tensor = tensor->to(device);
  b.cells = at::arange(kCells, at::kLong);
  b.genes = kGenes;
  b.global_cells = kCells;
  return b;
}

/// Losses, then gradients, on the host.
std::vector<at::Tensor> step_on(at::Device device, const std::string& compute) {
  data::Vocabulary vocabulary{{{"a", {"0", "1", "2", "3"}}, {"b", {"0", "1", "2", "3"}}}, {}};
  for (int g = 0; g < kGenes; ++g) vocabulary.genes.push_back("g" + std::to_string(g));
  models::CycleAutoencoderOptions options;
  options.latent = 6;
  options.classifier_hidden = {8};
  options.compute = compute;
  models::CycleAutoencoder model(options, vocabulary, 3, at::kDouble);
  model.to(device);
  std::vector<at::Tensor> found;
  auto total = at::zeros({}, at::dtype(at::kDouble).device(device));
  for (const auto& term : model.losses(batch_on(device), {}).terms) {
    found.push_back(term.value.detach().cpu());
    total = total + term.weight * term.value;
  }
  total.backward();
  for (const auto& group : model.groups())
    for (const auto& p : group.parameters) found.push_back(p.value.grad().cpu());
  return found;
}

}  // namespace

CATCH_TEST_CASE("a step on CUDA is the step on the CPU, in both forms", "[cuda]") {
  if (no_cuda_device()) return;
  for (const char* compute : {"dense", "factored"}) {
    const auto expected = step_on(at::kCPU, compute), got = step_on(at::kCUDA, compute);
    CATCH_REQUIRE(got.size() == expected.size());
    for (std::size_t k = 0; k < got.size(); ++k) {
      CATCH_INFO(compute << " " << k);
      CATCH_CHECK(at::allclose(got[k], expected[k], 1e-9, 1e-11));
    }
  }
}
