#pragma once
// Embeds cells that are token sequences already: which cells go into one batch, and their
// embeddings. A batch depends on its window of cells alone, never on who computes it, so that any
// number of ranks gives the same bits. Knows no rank and no file.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "infer/pooling.h"
#include "models/sequence_encoder.h"

namespace cellmill::infer {

/// The seed's three, through padded batches of LibTorch's operations, and packed:
///   kBaseline        float32, 10 cells a batch, in the order of the file, as helical runs it
///   kBatching        float32, 32 cells a batch, of like lengths
///   kMixedPrecision  the same in bfloat16
///   kPacked          no padding, batches by tokens, our kernels
enum class Method { kBaseline, kBatching, kMixedPrecision, kPacked };

struct EmbeddingOptions {
  Method method = Method::kPacked;
  Pooling pooling = Pooling::kCell;
  std::int64_t layer = 0;                 ///< place in hidden_states (hidden_layer)
  at::ScalarType precision = at::kFloat;  ///< of kPacked: float32 or bfloat16
  std::int64_t batch_cells = 0;           ///< of padded batches; 0: the method's own
  std::int64_t batch_tokens = 16384;      ///< of kPacked; a longer cell is a batch of its own
};

/// What the products are computed in.
at::ScalarType precision_of(const EmbeddingOptions& options);
std::int64_t batch_cells_of(const EmbeddingOptions& options);

/// The cells of a window by batch, each once, those without tokens nowhere. Longest first, but for
/// kBaseline.
std::vector<std::vector<std::int64_t>> plan_batches(const data::Sequences& window,
                                                    const EmbeddingOptions& options);
/// Which of `shares` computes a batch: so that each gets long and short ones alike.
std::int64_t share_of(std::int64_t batch, std::int64_t shares);

/// These cells of a window, one after another.
data::Sequences chosen(const data::Sequences& window, const std::vector<std::int64_t>& cells);

class Embedder {
 public:
  /// Freezes the encoder. Throws UsageError for a pooling that it cannot have.
  Embedder(models::SequenceEncoder& encoder, const EmbeddingOptions& options);

  const EmbeddingOptions& options() const { return options_; }
  /// hidden_states[layer] of every token, [T, width] float32 on the model's device, until the next
  /// call.
  at::Tensor hidden(const data::Sequences& cells);
  /// kCell, kCls: [cells, width] float32 on the host. Throws DataError where a result is not
  /// finite.
  at::Tensor embed(const data::Sequences& cells);

 private:
  models::SequenceEncoder& encoder_;
  EmbeddingOptions options_;
};

}  // namespace cellmill::infer
