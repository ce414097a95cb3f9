#pragma once
// A perturbation job done by all ranks: blocks of variants are shared, each is saved when it is
// done, and rank 0 writes the answer of all. A job that was ended goes on with the same call, on
// any number of ranks. The answer is the same bits whatever ranks and interruptions there were,
// with as many threads a rank.
#include <cstdint>
#include <map>
#include <string>

#include "comm/world.h"
#include "infer/perturbation_answer.h"
#include "infer/perturbation_survey.h"

namespace cellmill::app {

struct PerturbationRun {
  comm::World& world;
  infer::CellSequences& cells;
  models::SequenceEncoder& encoder;
  infer::PerturbationQuestion question;
  infer::SurveyOptions survey;
  infer::PerturbationRules rules;
  std::int64_t block_tokens = 0;
  std::string output;
  std::map<std::string, std::string> facts;  ///< for the file; what they say tells jobs apart
};

/// Collective. Exit code: kDone, or kRequeue after SIGTERM or SIGUSR1, when what was done is saved.
/// Says the strongest perturbations. Throws UsageError: the output is there, or an unfinished job
/// of another question is.
int perturb(const PerturbationRun& run);

}  // namespace cellmill::app
