#pragma once
// The rank encoder: a BERT over a cell's genes in the order of their rank values, trained to
// predict masked genes. Cells come as counts, or as ranks (Vocabulary::ranked), and are tokenised
// on the host as they are trained on. Packed: no token is computed for padding, and logits for the
// genes to be predicted alone. One group of parameters and one loss term, "masked_genes": the mean
// over the genes to be predicted of the global batch. After Geneformer (Theodoris et al., Nature
// 2023); settings and conventions: models/rank_encoder_options.h, data/rank_tokenizer.h.
#include <memory>
#include <optional>

#include "models/frozen_encoder.h"
#include "models/gene_masking.h"
#include "models/model.h"
#include "models/rank_network.h"
#include "models/sequence_encoder.h"

namespace cellmill::models {

class RankEncoder final : public Model, public SequenceEncoder {
 public:
  static constexpr const char* kDictionary = "dictionary";  ///< of `texts`
  static constexpr const char* kTerm = "masked_genes";
  static constexpr const char* kScore = "loss/masked_genes";  ///< lowest: best

  /// `dictionary` has no more tokens than `options.vocabulary`, unless that is 0. With the genes
  /// of a vocabulary it takes batches; throws what RankTokenizer throws. Without a seed weights are
  /// 0, to be filled in.
  RankEncoder(const RankEncoderOptions& options, data::GeneDictionary dictionary,
              const data::Vocabulary* vocabulary, std::optional<std::uint64_t> seed,
              at::ScalarType dtype);

  std::string name() const override { return "rank_encoder"; }
  std::vector<Group> groups() override;
  std::vector<std::pair<std::string, std::string>> texts() override {
    return {{kDictionary, data::text_of(dictionary_)}};
  }
  void start() override;
  Losses losses(const data::Batch& batch, const StepContext& context) override;
  void after_step() override {}
  std::unique_ptr<Evaluation> evaluation() override;
  void to(c10::Device device) override;

  const data::GeneDictionary& dictionary() const override { return dictionary_; }
  data::RankOptions rank_options() const override;
  std::int64_t layers() const override { return network_.options().layers; }
  std::int64_t width() const override { return network_.options().hidden; }
  void freeze(at::ScalarType precision) override;
  at::Tensor encode(const data::Sequences& sequences, std::int64_t layer) override;
  at::Tensor encode_padded(const data::Sequences& sequences, std::int64_t layer,
                           at::ScalarType precision) override;

  RankNetwork& network() { return network_; }
  /// The sequences of a batch.
  data::Sequences sequences(const data::Batch& batch) const;
  /// Which of its genes are to be predicted, in a pass of training or, epoch -1, of evaluation.
  MaskedCells masked(const data::Batch& batch, std::uint64_t seed, std::int64_t epoch) const;
  /// [places, vocabulary], float32 or better. Empty dropout: none.
  at::Tensor logits(const MaskedCells& cells, const RankDropoutOptions& dropout) const;

 private:
  data::GeneDictionary dictionary_;
  RankNetwork network_;
  std::optional<data::RankTokenizer> tokenizer_;
  GeneMasking masking_;
  std::unique_ptr<FrozenEncoder> frozen_;
};

/// Of `text`, or of the file that the options name, or the data's own genes with medians 1.
data::GeneDictionary rank_dictionary(const RankEncoderOptions& options,
                                     const data::Vocabulary& vocabulary,
                                     const std::string* text = nullptr);
/// So many tokens without names or medians: for sequences that come as numbers.
data::GeneDictionary unnamed_dictionary(std::int64_t tokens);

}  // namespace cellmill::models
