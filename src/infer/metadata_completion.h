#pragma once
// Missing labels filled in by what a model predicts, beside those that are given, which are never
// changed; how far the two agree; and which given labels the model doubts most.
#include <cstdint>
#include <string>
#include <vector>

#include "data/chunk.h"
#include "infer/factor_prediction.h"

namespace cellmill::infer {

/// Labels as the input has them: codes into `field.categories` or kMissing, one a sample. An empty
/// text is missing, too.
struct GivenLabels {
  data::Field field;
  std::vector<std::int32_t> codes;
};

struct CompletedField {
  std::string name;
  std::vector<std::string> text;    ///< of each sample; empty: still missing
  std::vector<std::string> source;  ///< given | predicted | missing
  std::vector<double> confidence;   ///< of the prediction; of a given label: the model's for it
  std::int64_t given = 0, known = 0, agree = 0;  ///< known: the model knows the given words
  std::int64_t filled = 0, unsure = 0;           ///< unsure: below the confidence asked for
};

/// `given` may lack fields of the predictions: then all their labels are missing.
std::vector<CompletedField> complete(const Predictions& predictions,
                                     const std::vector<GivenLabels>& given, double min_confidence);
/// A table: field, given, agree with the prediction, filled in, too unsure.
std::string text_of(const std::vector<CompletedField>& fields);

/// A given label whose words are known, where another one is more probable.
struct DoubtfulLabel {
  std::size_t sample;
  std::string field, given, predicted;
  double given_probability, predicted_probability;
  double margin() const { return predicted_probability - given_probability; }
};
/// The largest margin first.
std::vector<DoubtfulLabel> doubtful_labels(const Predictions& predictions,
                                           const std::vector<GivenLabels>& given);
/// rank,sample,field,given,given_probability,predicted,predicted_probability,margin
std::string csv_of(const std::vector<DoubtfulLabel>& labels,
                   const std::vector<std::string>& samples);

}  // namespace cellmill::infer
