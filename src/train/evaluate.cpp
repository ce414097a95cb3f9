#include "train/evaluate.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "comm/activity.h"

namespace cellmill::train {
namespace {

/// Norms of one head on this rank, and what is needed to join ranks.
struct Gathered {
  std::string head;
  std::vector<float> norms;
};

void note(std::vector<Gathered>& heads, const std::vector<models::Influence>& influence) {
  constexpr std::size_t kLargest = 1 << 20;  // cells a rank: enough for a histogram
  if (heads.empty()) {
    for (const auto& i : influence) heads.push_back({i.head, {}});
  }
  for (std::size_t h = 0; h < influence.size(); ++h) {
    const auto norms = influence[h].norms.to(at::kCPU, at::kFloat).contiguous();
    if (heads[h].norms.size() > kLargest) continue;
    heads[h].norms.insert(heads[h].norms.end(), norms.const_data_ptr<float>(),
                          norms.const_data_ptr<float>() + norms.numel());
  }
}

std::vector<HeadInfluence> join(const std::vector<Gathered>& heads, comm::Communicator& world) {
  const auto n = static_cast<std::int64_t>(heads.size());
  auto sums = at::zeros({n, 2}, at::kDouble);
  auto extremes = at::empty({n, 2}, at::kDouble);
  for (std::int64_t h = 0; h < n; ++h) {
    double sum = 0, high = -INFINITY, low = INFINITY;
    for (const double norm : heads[static_cast<std::size_t>(h)].norms) {
      sum += norm;
      high = std::max(high, norm);
      low = std::min(low, norm);
    }
    sums[h][0] = sum;
    sums[h][1] = static_cast<double>(heads[static_cast<std::size_t>(h)].norms.size());
    extremes[h][0] = high;
    extremes[h][1] = -low;
  }
  world.all_reduce(sums, comm::Op::kSum);
  world.all_reduce(extremes, comm::Op::kMax);
  std::vector<HeadInfluence> joined;
  for (std::int64_t h = 0; h < n; ++h) {
    const double cells = sums[h][1].item<double>();
    if (cells == 0) continue;
    joined.push_back({heads[static_cast<std::size_t>(h)].head, sums[h][0].item<double>() / cells,
                      -extremes[h][1].item<double>(), extremes[h][0].item<double>(),
                      heads[static_cast<std::size_t>(h)].norms});
  }
  return joined;
}

}  // namespace

EvaluationResult evaluate(models::Model& model, data::Loader& loader, data::DeviceFeed& feed,
                          comm::Communicator& world, Passes& passes) {
  loader.seek({0, 0});
  const auto micro_shards = static_cast<std::size_t>(passes.own_micro_shards());
  std::vector<std::unique_ptr<models::Evaluation>> evaluations(
      std::max<std::size_t>(micro_shards, 1));
  for (auto& evaluation : evaluations) evaluation = model.evaluation();
  std::vector<Gathered> heads;
  while (auto batch = loader.next()) {
    const auto moved = feed.move(*batch);
    passes.run(moved, [&](const data::Batch& piece, const models::StepContext& context,
                          Passes::Place place) {
      const auto whose = micro_shards > 0 ? static_cast<std::size_t>(place.number) : 0;
      evaluations[whose]->update(piece, context);
      note(heads, model.influence(piece));
    });
    comm::note_progress();
  }
  EvaluationResult result;
  auto sums = evaluations.front()->state();
  for (std::size_t k = 0; k < sums.size(); ++k) {
    if (micro_shards == 0) {
      world.all_reduce(sums[k], comm::Op::kSum);
      continue;
    }
    std::vector<at::Tensor> parts;
    for (const auto& evaluation : evaluations) parts.push_back(evaluation->state()[k]);
    sums[k].copy_(passes.total(parts));
  }
  for (const auto& score : evaluations.front()->scores()) result.scores[score.name] = score.value;
  result.influence = join(heads, world);
  return result;
}

}  // namespace cellmill::train
