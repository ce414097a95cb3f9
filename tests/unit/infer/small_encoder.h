#pragma once
// An encoder for tests: embeddings of tokens and places, and layers in which every token takes from
// the sums of its sequence. Small, quick, and sensitive to every place.
#include <ATen/ATen.h>

#include "models/sequence_encoder.h"

namespace cellmill::infer {

class SmallEncoder : public models::SequenceEncoder {
 public:
  SmallEncoder(std::int64_t tokens, std::int64_t width, std::int64_t longest, bool special) {
    at::manual_seed(7);
    words_ = at::randn({tokens, width});
    places_ = at::randn({longest, width});
    mix_ = at::randn({width, width}) / 4;
    for (std::int64_t t = 0; t < tokens; ++t) {
      dictionary_.tokens.push_back("GENE" + std::to_string(t));
      dictionary_.medians.push_back(t < 4 ? 0 : 1);
    }
    options_ = {longest, special};
    if (special) {
      dictionary_.cls = 2;
      dictionary_.eos = 3;
    }
  }
  const data::GeneDictionary& dictionary() const override { return dictionary_; }
  data::RankOptions rank_options() const override { return options_; }
  std::int64_t layers() const override { return 2; }
  std::int64_t width() const override { return words_.size(1); }
  void freeze(at::ScalarType) override {}

  at::Tensor encode(const data::Sequences& sequences, std::int64_t layer) override {
    ++calls;
    std::vector<at::Tensor> all;
    for (std::int64_t i = 0; i < sequences.size(); ++i) {
      const auto own = sequences[i];
      longest_batch = std::max<std::int64_t>(longest_batch, sequences.offsets.back());
      at::Tensor h =
          words_.index_select(
              0, at::tensor(at::IntArrayRef(std::vector<std::int64_t>(own.begin(), own.end())))) +
          places_.slice(0, 0, static_cast<std::int64_t>(own.size()));
      for (std::int64_t l = 0; l < layer; ++l)
        h = h + at::tanh(at::mm(h, mix_) + at::cumsum(h, 0) / 8 + h.mean(0, true));
      all.push_back(h);
    }
    return at::cat(all);
  }
  at::Tensor encode_padded(const data::Sequences& sequences, std::int64_t layer,
                           at::ScalarType) override {
    return encode(sequences, layer);
  }

  std::int64_t calls = 0, longest_batch = 0;

 private:
  at::Tensor words_, places_, mix_;
  data::GeneDictionary dictionary_;
  data::RankOptions options_;
};

}  // namespace cellmill::infer
