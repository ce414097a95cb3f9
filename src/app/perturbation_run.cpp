#include "app/perturbation_run.h"

#include <ATen/ATen.h>

#include <optional>
#include <sstream>

#include "app/command.h"
#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/stop.h"
#include "data/store/staging.h"
#include "infer/perturbation_pieces.h"
#include "io/digest.h"
#include "io/json.h"

namespace cellmill::app {
namespace {

constexpr std::int64_t kStateBatch = 32;  // cells of a state that one rank embeds at a time
constexpr std::int64_t kSaid = 15;

std::string job_text(const PerturbationRun& run, const infer::PerturbationPlan& plan,
                     const infer::Survey& survey) {
  io::Digester digester;
  const auto add = [&](const auto& values) {
    digester.add(values.data(), values.size() * sizeof(values[0]));
  };
  add(plan.cells.tokens);
  add(plan.cells.offsets);
  add(plan.blocks);
  for (const auto& set : plan.sets) add(set);
  for (const auto& members : survey.members) add(members);
  io::Json job{{"work", digester.value()}, {"batch_tokens", run.rules.budget}};
  for (const auto& [name, value] : run.facts) job[name] = value;
  return job.dump(1) + "\n";
}

/// The mean vector of each state over its cells, the same on all ranks.
at::Tensor state_vectors(const PerturbationRun& run, const infer::Survey& survey) {
  std::vector<at::Tensor> means;
  for (const auto& members : survey.members) {
    const auto count = static_cast<std::int64_t>(members.size());
    at::Tensor vectors = at::zeros({count, run.encoder.width()}, at::kDouble);
    Progress progress("states", count, "cells");
    for (std::int64_t first = 0, turn = 0; first < count; first += kStateBatch, ++turn) {
      if (turn % run.world.size != run.world.rank) continue;
      const auto end = std::min(count, first + kStateBatch);
      const auto cells = infer::take(run.cells, {members.begin() + first, members.begin() + end});
      vectors.slice(0, first, end).copy_(infer::cell_vectors(run.encoder, cells, run.rules));
      progress.update(end);
    }
    run.world.host_world->all_reduce(vectors, comm::Op::kSum);  // each row is one rank's, else 0
    means.push_back(vectors.mean(0));
  }
  return means.empty() ? at::zeros({0, run.encoder.width()}, at::kDouble) : at::stack(means);
}

/// This rank's part of the blocks that are not done, as rank 0 sees them.
std::vector<std::int64_t> own_blocks(const PerturbationRun& run,
                                     const infer::PerturbationPieces& pieces, std::int64_t count) {
  std::string text;
  if (run.world.rank == 0)
    for (const auto block : pieces.missing(count)) text += std::to_string(block) + " ";
  std::istringstream words(run.world.host_world->broadcast_text(text, 0));
  std::vector<std::int64_t> blocks;
  for (std::int64_t block; words >> block;) blocks.push_back(block);
  const auto all = static_cast<std::int64_t>(blocks.size());
  return {blocks.begin() + all * run.world.rank / run.world.size,
          blocks.begin() + all * (run.world.rank + 1) / run.world.size};
}

/// False: a signal asked to stop before all was done.
bool work(const PerturbationRun& run, const infer::PerturbationPlan& plan,
          const infer::PerturbationPieces& pieces, const at::Tensor& states) {
  const auto blocks = own_blocks(run, pieces, plan.block_count());
  const auto size = [&](std::int64_t block) {
    const auto at = static_cast<std::size_t>(block);
    return plan.blocks[at + 1] - plan.blocks[at];
  };
  std::int64_t total = 0, done = 0;
  for (const auto block : blocks) total += size(block);
  Progress progress(run.world.size > 1 ? "perturbing (rank 0's share)" : "perturbing", total,
                    "perturbations");
  std::size_t next = 0;
  for (; next < blocks.size() && stop_requested() == 0; ++next) {
    const auto begin = plan.blocks[static_cast<std::size_t>(blocks[next])];
    const auto end = begin + size(blocks[next]);
    const auto note = [&](std::int64_t of_block) {
      comm::note_progress();
      progress.update(done + of_block);
    };
    pieces.write(blocks[next], infer::score(run.encoder, run.question, plan, begin, end, states,
                                            run.rules, note));
    done += end - begin;
  }
  at::Tensor stopped = at::full({1}, static_cast<std::int64_t>(next < blocks.size()), at::kLong);
  run.world.host_world->all_reduce(stopped, comm::Op::kMax);
  if (stopped.item<std::int64_t>() == 0) progress.finish();
  return stopped.item<std::int64_t>() == 0;
}

infer::PerturbationSummary answer(const PerturbationRun& run, const infer::PerturbationPlan& plan,
                                  const infer::Survey& survey,
                                  const infer::PerturbationPieces& pieces) {
  const auto names = run.cells.names();
  infer::PerturbedCells cells{{}, survey.labels};
  for (const auto cell : survey.cells) cells.names.push_back(names[static_cast<std::size_t>(cell)]);
  const infer::PerturbationAnswer question{
      run.question,     plan,     run.encoder.dictionary(), run.survey.states.names(),
      std::move(cells), run.facts};
  return run.rules.every_gene ? infer::write_genes(question, pieces, run.output)
                              : infer::write_cells(question, pieces, run.output);
}

void warn_of_absent(const PerturbationRun& run, const infer::Survey& survey) {
  const infer::GeneLabels labels(run.encoder.dictionary());
  std::string absent;
  for (std::size_t g = 0; g < survey.having.size(); ++g)
    if (survey.having[g] == 0)
      absent += (absent.empty() ? "" : ", ") + labels.name({run.question.genes[g]});
  if (!absent.empty()) log::warn("in no cell: {}", absent);
}

}  // namespace

int perturb(const PerturbationRun& run) {
  comm::Communicator& host = *run.world.host_world;
  comm::set_phase("reading the cells");
  infer::Survey survey;
  infer::PerturbationPlan plan;
  comm::agree(host, [&] {
    survey = infer::survey(run.cells, run.question, run.survey);
    plan = infer::make_plan(run.question, infer::take(run.cells, survey.cells), run.encoder.width(),
                            run.block_tokens);
  });
  warn_of_absent(run, survey);
  log::info("{} of {} cells that can be, {} perturbations of {} sets of genes, {} blocks",
            plan.cells.size(), survey.candidates, plan.size(), plan.sets.size(),
            plan.block_count());
  std::optional<data::Staging> staging;
  comm::agree(host, [&] {
    if (run.world.rank == 0)
      staging.emplace(run.output, ".perturbing", job_text(run, plan, survey));
  });
  const infer::PerturbationPieces pieces(
      host.broadcast_text(staging ? staging->folder().string() : "", 0));
  if (staging && staging->resumed())
    log::info(
        "going on: {} of {} blocks are done",
        plan.block_count() - static_cast<std::int64_t>(pieces.missing(plan.block_count()).size()),
        plan.block_count());

  install_stop_signals();
  comm::set_phase("embedding the states");
  at::Tensor states;
  comm::agree(host, [&] { states = pieces.states(); });
  if (!states.defined()) {
    states = state_vectors(run, survey);
    comm::agree(host, [&] {
      if (run.world.rank == 0) pieces.write_states(states);
    });
  }
  comm::set_phase("perturbing");
  if (!work(run, plan, pieces, states)) {
    if (run.world.rank == 0) log::info("stopped; the same command goes on where this ended");
    return static_cast<int>(Exit::kRequeue);
  }
  comm::set_phase("writing the answer");
  comm::agree(host, [&] {
    if (!staging) return;
    const auto summary = answer(run, plan, survey, pieces);
    staging->abandon();
    say(run.world, infer::text_of(summary, kSaid));
    log::info("written: {}", run.output);
  });
  return 0;
}

}  // namespace cellmill::app
