#pragma once
// A golden case read from its file, in our own terms: two writers (the model's own reference, and
// the source repository's semantics) name settings and parameters differently.
#include <ATen/core/Tensor.h>

#include <map>
#include <string>

#include "data/batch.h"
#include "data/chunk.h"
#include "models/cycle_options.h"

namespace cellmill::train {

struct GoldenCase {
  models::CycleAutoencoderOptions options;
  data::Vocabulary vocabulary;
  at::ScalarType dtype;
  bool original = false;    ///< the source repository's semantics
  std::string unsupported;  ///< why the case cannot run, or empty
  std::map<std::string, at::Tensor> tensors;

  data::Batch batch(int step) const;
  /// The file's name of one of our parameters.
  std::string parameter_name(const std::string& ours) const;
};

/// Throws DataError.
GoldenCase read_golden(const std::string& path);

}  // namespace cellmill::train
