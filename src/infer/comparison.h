#pragma once
// How generated cells compare with real ones. Real cells of the source and the wanted contexts are
// put, by a keyed hash of the cell, into one half from which the baselines learn and another
// against which model and baselines are scored; so no baseline is scored on the cells it knows.
// Given a reference file, its source cells teach and all source cells of the input are scored.
// Memory: ten float64 genes-vectors a type, at most kMaxTypes types.
#include <array>
#include <string>
#include <vector>

#include "data/batch.h"
#include "infer/baselines.h"

namespace cellmill::infer {

inline constexpr std::size_t kMaxTypes = 256;

enum class Role : std::uint8_t {
  kNone,    ///< a requested field is not known for this cell
  kSource,  ///< another context than the wanted one
  kWanted   ///< a real cell of the wanted context
};

/// What a cell is to the question, by row of a batch. `type` is a place in the names of types.
struct CellRoles {
  std::vector<Role> role;
  std::vector<std::int64_t> type;
};

struct ScoredRow {
  std::string name;
  Scores scores;
};

/// One population that was scored: all cells, one type, or the mean over types.
struct ScoredGroup {
  std::string name;
  double source_cells = 0, wanted_cells = 0;  ///< of the scored half
  std::vector<ScoredRow> rows;                ///< the model, baselines, noise of the truth
};

struct ComparisonReport {
  std::vector<ScoredGroup> groups;  ///< "all"; "mean over types"; then every type. May be empty
  std::string why_empty;
};

class Comparison {
 public:
  explicit Comparison(bool has_reference) : has_reference_(has_reference) {}
  /// Cells of the input (CSR on the host) and what was generated for them, [cells, genes].
  void add(const data::Batch& batch, const CellRoles& roles, const at::Tensor& generated);
  void add_reference(const data::Batch& batch, const CellRoles& roles);
  /// Groups with fewer than `min_cells` scored cells on a side are left out; the row of the model
  /// is called `model`.
  ComparisonReport report(const std::vector<std::string>& type_names, const std::string& model,
                          double min_cells = 20) const;

 private:
  struct Type {
    Population learn_source, learn_wanted, score_source, score_wanted, generated;
  };
  Type& type(std::int64_t place);
  ScoredGroup score_group(const std::string& name, const std::vector<std::size_t>& types,
                          const Shifts& shifts, const std::string& model) const;

  bool has_reference_;
  std::vector<Type> types_;
};

/// The mean of the scores over groups, of the rows that every group has.
ScoredGroup mean_over(const std::vector<ScoredGroup>& groups, const std::string& name);

}  // namespace cellmill::infer
