#include "models/gene_masking.h"

#include "base/random.h"

namespace cellmill::models {

GeneMasking::GeneMasking(const RankMaskOptions& options, const data::GeneDictionary& dictionary)
    : options_(options),
      mask_(dictionary.mask),
      is_gene_(static_cast<std::size_t>(dictionary.size()), false) {
  for (std::int32_t token = 0; token < dictionary.size(); ++token) {
    if (!dictionary.is_gene(token)) continue;
    genes_.push_back(token);
    is_gene_[static_cast<std::size_t>(token)] = true;
  }
}

MaskedCells GeneMasking::operator()(data::Sequences sequences, const at::Tensor& cells,
                                    std::uint64_t seed, std::int64_t epoch) const {
  using random::Use;
  constexpr std::uint64_t kStride = 0x9e3779b97f4a7c15ULL;  // SplitMix64's, from place to place
  MaskedCells masked;
  masked.shown = std::move(sequences);
  auto& tokens = masked.shown.tokens;
  masked.keys.resize(tokens.size());
  const auto* cell = cells.const_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < masked.shown.size(); ++i) {
    const auto first = random::bits(
        Use::kMask, {seed, static_cast<std::uint64_t>(epoch), static_cast<std::uint64_t>(cell[i])});
    const auto begin = masked.shown.offsets[static_cast<std::size_t>(i)];
    for (std::int64_t k = 0; k < masked.shown.length(i); ++k) {
      const auto at = static_cast<std::size_t>(begin + k);
      const auto draw = random::mix(first + static_cast<std::uint64_t>(k) * kStride);
      masked.keys[at] = static_cast<std::int64_t>(draw);
      auto& token = tokens[at];
      if (!is_gene_[static_cast<std::size_t>(token)] || random::unit(draw) >= options_.fraction)
        continue;
      masked.places.push_back(begin + k);
      masked.targets.push_back(token);
      const auto second = random::mix(draw);
      const double how = random::unit(second);
      if (how < options_.masked)
        token = mask_;
      else if (how < options_.masked + options_.random)
        token = genes_[random::below(random::mix(second), genes_.size())];
    }
  }
  return masked;
}

}  // namespace cellmill::models
