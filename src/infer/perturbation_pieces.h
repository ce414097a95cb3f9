#pragma once
// Scores of finished blocks, a file each in a job's folder, so that a job can be interrupted. A
// file is there whole or not at all. HDF5: /cells [variants, columns], /genes. Errors are
// DataError.
#include <cstdint>
#include <filesystem>
#include <vector>

#include "infer/perturbation.h"

namespace cellmill::infer {

class PerturbationPieces {
 public:
  explicit PerturbationPieces(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// Of `count` blocks those without a piece, rising.
  std::vector<std::int64_t> missing(std::int64_t count) const;
  void write(std::int64_t block, const Scores& scores) const;
  Scores read(std::int64_t block) const;

  /// The states' vectors, [states, width] float64; undefined before they were written.
  at::Tensor states() const;
  void write_states(const at::Tensor& states) const;

 private:
  std::filesystem::path file_of(std::int64_t block) const;
  std::filesystem::path folder_;
};

}  // namespace cellmill::infer
