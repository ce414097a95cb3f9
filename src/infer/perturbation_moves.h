#pragma once
// What a perturbation does to a cell's sequence of genes, highest rank first. Pure. After
// Geneformer (github.com/jkobject/geneformer, in-silico perturber), whose description of inhibit
// and activate is followed, which its program refuses.
//   delete      the genes are taken out; all of them must be there
//   overexpress to the front, behind <cls>, in the order given. A gene that is absent is put in;
//   what
//               then exceeds the longest sequence, genes at the end, is cut, from the original too
//   activate    by `shift` quarters of the ranks: to the middle of the quarter above (shift 1), the
//               one above that (2), ...; to the front where there is none
//   inhibit     likewise downwards, to the end where there is none
// Several genes that move to one place keep their order.
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace cellmill::infer {

enum class Move { kDelete, kOverexpress, kInhibit, kActivate };

/// Of "delete", "overexpress", "inhibit", "activate".
Move move_named(const std::string& name);

struct MoveRules {
  Move move = Move::kDelete;
  std::int64_t shift = 1;          ///< inhibit, activate: 1 to 3
  std::int64_t max_length = 2048;  ///< tokens, special ones among them
  bool special_tokens = false;     ///< the first and the last token of a cell are no genes
};

/// The two sequences to compare. Without the places that are left out, those of perturbed genes and
/// of special tokens, both are the same genes in the same order, at least one.
struct Perturbed {
  std::vector<std::int32_t> original;  ///< the cell, less what was cut
  std::vector<std::int32_t> tokens;
  std::vector<std::int64_t> original_left_out, left_out;  ///< rising
};

/// Nothing where the perturbation cannot be: a gene is absent (but for overexpress), or no gene
/// besides the perturbed ones is left. `genes` are different tokens of genes.
std::optional<Perturbed> perturb(std::span<const std::int32_t> cell,
                                 std::span<const std::int32_t> genes, const MoveRules& rules);

/// Where activate and inhibit put the gene of rank `rank` among `genes`.
std::int64_t shifted_rank(std::int64_t rank, std::int64_t genes, Move move, std::int64_t shift);

}  // namespace cellmill::infer
