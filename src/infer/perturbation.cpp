#include "infer/perturbation.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>

namespace cellmill::infer {
namespace {

using Places = std::vector<std::int64_t>;

/// Places [0, length) without `left_out`, which rise.
Places kept(std::int64_t length, const Places& left_out) {
  Places places;
  places.reserve(static_cast<std::size_t>(length));
  auto out = left_out.begin();
  for (std::int64_t i = 0; i < length; ++i) {
    if (out != left_out.end() && *out == i)
      ++out;
    else
      places.push_back(i);
  }
  return places;
}

at::Tensor rows(const at::Tensor& hidden, const Places& places) {
  return hidden.index_select(0, at::tensor(places, at::kLong).to(hidden.device()));
}

at::Tensor total(const at::Tensor& hidden) { return hidden.sum(0, false, at::kDouble); }

/// What states are made of and compared with.
at::Tensor vector_of(const at::Tensor& hidden, const PerturbationRules& rules) {
  if (rules.vector == CellVector::kCls) return hidden[0].to(at::kDouble);
  const std::int64_t special = rules.special_tokens ? 1 : 0;
  const auto genes = hidden.slice(0, special, hidden.size(0) - special);
  return total(genes) / static_cast<double>(genes.size(0));
}

double cosine(const at::Tensor& a, const at::Tensor& b) {
  return (a.dot(b) / (a.norm() * b.norm()).clamp_min(1e-8)).item<double>();
}

/// Cosines of the genes at `places` of `original`, at the cell's own ranks. `original` is the cell
/// less what was cut, so both are walked together.
std::vector<float> by_rank(std::span<const std::int32_t> genes,
                           const std::vector<std::int32_t>& original, const Places& places,
                           const at::Tensor& cosines) {
  std::vector<float> out(genes.size(), std::numeric_limits<float>::quiet_NaN());
  const auto* value = cosines.const_data_ptr<float>();
  std::size_t rank = 0;
  for (std::size_t i = 0; i < places.size(); ++i) {
    while (genes[rank] != original[static_cast<std::size_t>(places[i])]) ++rank;
    out[rank] = value[i];
  }
  return out;
}

struct Original {
  std::vector<std::int32_t> tokens;
  at::Tensor hidden;  // on the device
  at::Tensor vector;  // on the host
};

/// A sequence on its way through the encoder: a variant, or without one an original.
struct Waiting {
  std::shared_ptr<Original> original;
  std::int64_t place = 0;  // of the variant in the block
  std::optional<Perturbed> variant = {};
  std::span<const std::int32_t> genes = {};  // of the cell

  const std::vector<std::int32_t>& tokens() const {
    return variant ? variant->tokens : original->tokens;
  }
};

class Scorer {
 public:
  Scorer(models::SequenceEncoder& encoder, const at::Tensor& states, const PerturbationRules& rules,
         std::int64_t variants)
      : encoder_(encoder),
        states_(states),
        rules_(rules),
        cells_(at::zeros({variants, 2 + states.size(0)}, at::kDouble)),
        genes_(static_cast<std::size_t>(rules.every_gene ? variants : 0)) {}

  void begin_cell(std::span<const std::int32_t> cell) {
    originals_.clear();
    const std::size_t special = rules_.special_tokens ? 1 : 0;
    genes_of_cell_ = cell.subspan(special, cell.size() - 2 * special);
  }

  void add(std::int64_t place, Perturbed variant) {
    if (variant.tokens == variant.original) {  // cosine 1, shift 0
      const Places places =
          kept(static_cast<std::int64_t>(variant.original.size()), variant.original_left_out);
      cells_[place].slice(0, 0, 2).fill_(1);
      if (rules_.every_gene)
        genes_[static_cast<std::size_t>(place)] =
            by_rank(genes_of_cell_, variant.original, places,
                    at::ones({static_cast<std::int64_t>(places.size())}));
      return;
    }
    auto original = original_of(variant.original);
    enqueue({std::move(original), place, std::move(variant), genes_of_cell_});
  }

  Scores finish() {
    flush();
    Scores out{cells_.to(at::kFloat), {}};
    for (const auto& own : genes_) out.genes.insert(out.genes.end(), own.begin(), own.end());
    return out;
  }

 private:
  std::shared_ptr<Original> original_of(const std::vector<std::int32_t>& tokens) {
    for (const auto& original : originals_)
      if (original->tokens == tokens) return original;
    originals_.push_back(std::make_shared<Original>(Original{tokens, {}, {}}));
    enqueue({originals_.back()});
    return originals_.back();
  }

  void enqueue(Waiting waiting) {
    const auto length = static_cast<std::int64_t>(waiting.tokens().size());
    if (batch_.offsets.back() + length > rules_.budget) flush();
    batch_.append(waiting.tokens());
    waiting_.push_back(std::move(waiting));
  }

  void flush() {
    if (waiting_.empty()) return;
    const at::Tensor hidden = encoder_.encode(batch_, rules_.layer);
    for (std::size_t i = 0; i < waiting_.size(); ++i) {
      const at::Tensor own = hidden.slice(0, batch_.offsets[i], batch_.offsets[i + 1]);
      if (waiting_[i].variant)
        compare(own, waiting_[i]);
      else
        keep(own, *waiting_[i].original);
    }
    waiting_.clear();
    batch_ = {};
  }

  void keep(const at::Tensor& hidden, Original& original) const {
    original.hidden = hidden.clone();
    if (states_.size(0) > 0) original.vector = vector_of(hidden, rules_).cpu();
  }

  void compare(const at::Tensor& hidden, const Waiting& waiting) {
    const Original& original = *waiting.original;
    const Perturbed& variant = *waiting.variant;
    const Places places = kept(original.hidden.size(0), variant.original_left_out);
    const at::Tensor before = rows(original.hidden, places);
    const at::Tensor after = rows(hidden, kept(hidden.size(0), variant.left_out));
    const at::Tensor each = at::cosine_similarity(after, before, 1);
    auto* out = cells_.mutable_data_ptr<double>() + waiting.place * cells_.size(1);
    out[0] = rules_.vector == CellVector::kCls
                 ? cosine(hidden[0].to(at::kDouble), original.hidden[0].to(at::kDouble))
                 : cosine(total(after), total(before));
    out[1] = each.mean(at::kDouble).item<double>();
    if (states_.size(0) > 0) {
      const at::Tensor vector = vector_of(hidden, rules_).cpu();
      for (std::int64_t s = 0; s < states_.size(0); ++s)
        out[2 + s] = cosine(vector, states_[s]) - cosine(original.vector, states_[s]);
    }
    if (rules_.every_gene)
      genes_[static_cast<std::size_t>(waiting.place)] =
          by_rank(waiting.genes, variant.original, places, each.cpu());
  }

  models::SequenceEncoder& encoder_;
  const at::Tensor& states_;
  const PerturbationRules& rules_;
  at::Tensor cells_;
  std::vector<std::vector<float>> genes_;
  std::span<const std::int32_t> genes_of_cell_;
  std::vector<std::shared_ptr<Original>> originals_;  // of the cell
  data::Sequences batch_;
  std::vector<Waiting> waiting_;
};

}  // namespace

Scores score(models::SequenceEncoder& encoder, const PerturbationQuestion& question,
             const PerturbationPlan& plan, std::int64_t begin, std::int64_t end,
             const at::Tensor& states, const PerturbationRules& rules,
             const std::function<void(std::int64_t done)>& note) {
  Scorer scorer(encoder, states, rules, end - begin);
  auto cell = std::upper_bound(plan.variants.begin(), plan.variants.end(), begin) -
              plan.variants.begin() - 1;
  for (std::int64_t variant = begin; variant < end; ++cell) {
    const auto tokens = plan.cells[cell];
    const auto sets = perturbations_of(question, plan.sets, tokens);
    const auto first = plan.variants[static_cast<std::size_t>(cell)];
    const auto last = std::min(end, plan.variants[static_cast<std::size_t>(cell) + 1]);
    scorer.begin_cell(tokens);
    for (; variant < last; ++variant) {
      const auto& set =
          plan.sets[static_cast<std::size_t>(sets[static_cast<std::size_t>(variant - first)])];
      scorer.add(variant - begin, *perturb(tokens, set, question.rules));
      if (note) note(variant - begin);
    }
  }
  return scorer.finish();
}

at::Tensor cell_vectors(models::SequenceEncoder& encoder, const data::Sequences& cells,
                        const PerturbationRules& rules) {
  at::Tensor out = at::empty({cells.size(), encoder.width()}, at::kDouble);
  for (std::int64_t first = 0; first < cells.size();) {
    data::Sequences batch;
    std::int64_t end = first;
    while (end < cells.size() &&
           (end == first || batch.offsets.back() + cells.length(end) <= rules.budget))
      batch.append(cells[end++]);
    const at::Tensor hidden = encoder.encode(batch, rules.layer);
    for (std::int64_t i = 0; i < end - first; ++i) {
      const auto at = static_cast<std::size_t>(i);
      out[first + i].copy_(
          vector_of(hidden.slice(0, batch.offsets[at], batch.offsets[at + 1]), rules));
    }
    first = end;
  }
  return out;
}

}  // namespace cellmill::infer
