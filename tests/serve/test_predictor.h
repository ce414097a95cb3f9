#pragma once
// A predictor for tests: a few lines of arithmetic in place of a model, the same for the same row
// and seed. What a sample is called follows from its counts: label (sum of counts) mod labels.
#include <chrono>
#include <cmath>
#include <stdexcept>
#include <thread>

#include "base/error.h"
#include "base/random.h"
#include "serve/predictor.h"

namespace cellmill::serve {

class TestPredictor final : public Predictor {
 public:
  explicit TestPredictor(std::size_t genes, bool bulk = false, double milliseconds = 0)
      : milliseconds_(milliseconds) {
    facts_.version = "test-1";
    facts_.bulk = bulk;
    facts_.total_count = bulk ? 10'000'000 : 10'000;
    for (std::size_t gene = 0; gene < genes; ++gene)
      facts_.gene_order.push_back("GENE" + std::to_string(gene));
    const auto category = FieldFacts::Kind::kCategory, number = FieldFacts::Kind::kNumber;
    facts_.fields = {
        {"cell_type",
         "cell_type_ontology_id",
         0,
         category,
         {"CL:0000084", "CL:0000236", "CL:0000576"},
         true},
        {"tissue", "tissue_ontology_id", 0, category, {"UBERON:0002107", "UBERON:0000955"}, true},
        {"disease", "disease_ontology_id", 0, category, {"MONDO:0005148", "healthy"}, true},
        {"sex", "sex", 0, category, {"female", "male"}, true},
        {"assay", "assay", 1, category, {"10x 3' v3", "a \"quoted\" one"}, true},
        {"study", "study", 1, category, {"S1", "S2"}, false},
        {"perturbation_type", "perturbation_type", 2, category, {"control", "crispr"}, true},
        {"dose", "perturbation_dose", 2, number, {"um", "nm"}, false},
    };
  }

  const ModelFacts& facts() const override { return facts_; }

  std::vector<Prediction> answer(const Rows& rows) override {
    if (milliseconds_ > 0)
      std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(milliseconds_));
    std::vector<Prediction> out;
    if (const auto* profiles = std::get_if<std::vector<Profile>>(&rows)) {
      for (const Profile& each : *profiles) out.push_back(predicted(each));
    } else {
      for (const Wanted& each : std::get<std::vector<Wanted>>(rows)) out.push_back(generated(each));
    }
    return out;
  }

  /// A sample whose first count is this makes the model fail.
  static constexpr float kPoison = 666;

 private:
  static double sum(const Counts& counts) {
    double out = 0;
    for (float value : counts.values) out += value;
    return out;
  }

  void fill(Prediction& out, std::uint64_t seed, double total) const {
    for (std::size_t i = 0; i < out.latents.size(); ++i)
      for (std::uint64_t k = 0; k < 4; ++k)
        out.latents[i].push_back(
            static_cast<float>(random::unit(random::bits(random::Use::kTest, {seed, i, k}))));
    const std::size_t genes = facts_.gene_order.size();
    for (std::size_t gene = 0; gene < genes; ++gene)
      out.counts.push_back(static_cast<std::int32_t>(
          random::below(random::bits(random::Use::kTest, {seed, gene}),
                        static_cast<std::uint64_t>(1 + 2 * total / static_cast<double>(genes)))));
  }

  Prediction predicted(const Profile& row) const {
    if (!row.counts.genes.empty() && row.counts.genes[0] == 0 && row.counts.values[0] == kPoison)
      throw std::runtime_error("/secret/path/model.h5: broken\nTraceback: here");
    Prediction out;
    const double total = sum(row.counts);
    for (const FieldFacts& field : facts_.fields) {
      std::vector<float> probabilities;
      if (field.predicted) {
        const std::size_t labels = field.labels.size(),
                          top = static_cast<std::size_t>(total) % labels;
        for (std::size_t label = 0; label < labels; ++label)
          probabilities.push_back(label == top ? 0.75f : 0.25f / static_cast<float>(labels - 1));
      }
      out.probabilities.push_back(std::move(probabilities));
    }
    fill(out, row.seed, total);
    return out;
  }

  Prediction generated(const Wanted& row) const {
    Prediction out;
    out.probabilities.resize(facts_.fields.size());
    fill(out, row.deterministic_latents ? 0 : row.seed, row.total_count);
    return out;
  }

  ModelFacts facts_;
  const double milliseconds_;
};

}  // namespace cellmill::serve
