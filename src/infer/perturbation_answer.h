#pragma once
// The pieces of a perturbation job as one file (infer/result_file.h). One thread; memory does not
// grow with the number of cells.
//   of cells   obs: cells, longest first; var: perturbations; X: cosine of the cell's embedding
//              before and after, NaN where a cell lacks the gene; layers mean_gene_cosine and
//              shift_to_STATE; var n_detections and the mean of each
//   of genes   obs: perturbations; var: genes; X: mean over cells of the cosine of the gene's
//              embedding before and after; layers stdev (of the population) and n_detections
#include <map>
#include <string>
#include <vector>

#include "data/gene_dictionary.h"
#include "infer/perturbation_pieces.h"
#include "infer/result_file.h"

namespace cellmill::infer {

struct PerturbedCells {
  std::vector<std::string> names;  ///< in the plan's order
  std::vector<Column> labels;
};

struct PerturbationAnswer {
  const PerturbationQuestion& question;
  const PerturbationPlan& plan;
  const data::GeneDictionary& dictionary;
  std::vector<std::string> states;  ///< names, in the order of the scores
  PerturbedCells cells;
  std::map<std::string, std::string> facts;
};

/// What is said at the end: the strongest perturbations.
struct PerturbationSummary {
  std::vector<std::string> names;    ///< of the perturbations
  std::vector<std::string> tokens;   ///< their numbers
  std::vector<std::string> columns;  ///< cosine, mean_gene_cosine, shift_to_...
  std::vector<std::int64_t> detections;
  at::Tensor means;  ///< [perturbations, columns] float64
};
std::string text_of(const PerturbationSummary& summary, std::int64_t most);

PerturbationSummary write_cells(const PerturbationAnswer& answer, const PerturbationPieces& pieces,
                                const std::string& path);
PerturbationSummary write_genes(const PerturbationAnswer& answer, const PerturbationPieces& pieces,
                                const std::string& path);

/// A gene's name where the dictionary has one, else its id; of a set "A+B".
class GeneLabels {
 public:
  explicit GeneLabels(const data::GeneDictionary& dictionary);
  std::string id(const GeneSet& set) const;
  std::string name(const GeneSet& set) const;

 private:
  const data::GeneDictionary& dictionary_;
  std::map<std::string, std::string> name_of_;
};

}  // namespace cellmill::infer
