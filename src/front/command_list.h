#pragma once
// The subcommands, in the order of `cellmill --help`: X(heading, name, summary). Those of a heading
// stand together. The body of `name` is the function name_command in app/name_command.cpp; a user
// types its hyphens. What brings libraries that no other command needs is a program of its own.
#include <algorithm>
#include <string>

#define CELLMILL_COMMANDS(X)                                                       \
  X("Train", train, "train a model, alone or over MPI")                            \
  X("Train", plan, "what will a run need, and where does scaling end?")            \
  X("Train", submit, "train under Slurm: writes the batch script and submits it")  \
  X("Ask", counterfactual, "what would these cells express under other contexts?") \
  X("Ask", contributions, "how much does each head contribute to each cell?")      \
  X("Ask", classify, "which contexts does the model see in cells?")                \
  X("Ask", export, "write a trained encoder as a Hugging Face folder")             \
  X("Ask", inspect, "what is in a checkpoint, a run or a store?")                  \
  X("Ask", report, "a page of a run: curves, influences, data, machine, failures") \
  X("Metadata", predict_metadata, "which metadata do these samples' counts tell?") \
  X("Metadata", complete_metadata, "fill missing labels in, find doubtful ones")   \
  X("Metadata", generate, "which counts would samples of these metadata have?")    \
  X("Rank encoder", embed, "where does a rank encoder (Geneformer) place cells?")  \
  X("Rank encoder", perturb, "what would cells be without a gene, or with it?")    \
  X("Data", check, "what is in data, and would training take them?")               \
  X("Data", pack, "write cells into a small, fast store, shuffled if asked")       \
  X("Data", unpack, "write a store back as h5ad or npz")                           \
  X("Data", tokenize, "write cells as ranked gene tokens, for a rank encoder")     \
  X("Check", doctor, "is this machine fit for a run, and if not, what helps?")     \
  X("Check", golden, "compare training steps with another implementation's")       \
  X("Settings", config, "explain, dump or list the settings of a run")             \
  X("Settings", completion, "a completion script for bash, zsh or fish")
#define CELLMILL_PROGRAMS(X) X("Serve", serve, "answer over HTTP what models say of samples")

namespace cellmill::front {

/// "predict_metadata" -> "predict-metadata".
inline std::string typed(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

}  // namespace cellmill::front
