#include "train/survey.h"

#include <ATen/ATen.h>

#include <vector>

#include "comm/activity.h"

namespace cellmill::train {

void survey(models::Model& model, data::Loader& loader, data::DeviceFeed& feed,
            comm::Communicator& world, Passes& passes) {
  auto sums = model.survey_state();
  const auto micro_shards = static_cast<std::size_t>(passes.own_micro_shards());
  std::vector<at::Tensor> of_pieces;  // sums of one micro-shard; the model holds those of one
  for (std::size_t k = 0; k < micro_shards; ++k) of_pieces.push_back(sums.clone());
  while (auto batch = loader.next()) {
    const auto moved = feed.move(*batch);
    comm::note_progress();
    if (micro_shards == 0) {
      model.survey(moved);
      continue;
    }
    for (std::size_t k = 0; k < micro_shards; ++k) {
      const auto& cuts = moved.micro_shards;
      sums.copy_(of_pieces[k]);
      model.survey(data::cells_of(moved, cuts[k], cuts[k + 1]));
      of_pieces[k].copy_(sums);
    }
  }
  if (micro_shards > 0)
    sums.copy_(passes.total(of_pieces));
  else
    world.all_reduce(sums, comm::Op::kSum);
  model.finish_survey();
}

}  // namespace cellmill::train
