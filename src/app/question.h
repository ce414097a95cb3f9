#pragma once
// What the commands that ask a model share: which checkpoint, which cells, where the answer goes.
#include "app/command.h"
#include "infer/input.h"
#include "infer/load_model.h"
#include "infer/result_file.h"

namespace cellmill::app {

/// What the model that is asked takes: log1p of counts per 10,000, or counts.
enum class Values { kLogs, kCounts };

struct Question {
  std::string checkpoint, output, device = "auto";
  bool may_be_json = false;  ///< the output
  infer::InputOptions input;

  /// Declares --checkpoint, --input, --output and how to read the input; of a model that takes
  /// counts without --raw-counts.
  void declare(config::CommandLine& line, Values values = Values::kLogs);
  /// Refuses what can be refused before any work: more than one rank (a question is asked by one
  /// process), an output of unknown format or in no folder, an output that is an input.
  void check(const comm::World& world) const;
};

/// The file of the answer, named by the input's cells and the model's genes.
std::unique_ptr<infer::ResultFile> open_answer(const Question& question,
                                               const infer::LoadedModel& loaded,
                                               const infer::Input& input,
                                               std::vector<std::string> matrices);
/// Warns of labels that the model does not know, adds the origin to `annotations`, publishes the
/// file and says so.
void close_answer(const Question& question, const std::string& command,
                  const infer::LoadedModel& loaded, const infer::Input& input,
                  infer::Annotations& annotations, infer::ResultFile& answer);

}  // namespace cellmill::app
