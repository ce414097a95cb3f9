#pragma once
// Answers as JSON text, in the protocol's shape. What is the same in all answers of a model (its
// gene order is six sevenths of an answer to one sample) is written once; the rest is digits.
#include <memory>
#include <string>
#include <vector>

#include "serve/predictor.h"
#include "serve/query.h"

namespace cellmill::serve {

class AnswerWriter {
 public:
  explicit AnswerWriter(const ModelFacts& facts);

  /// Everything before the first output; an answer is this and a tail.
  const std::shared_ptr<const std::string>& head() const { return head_; }
  /// The outputs and what closes them, one a prediction. `metadata` as Query has it. Throws
  /// InternalError for what is not finite.
  std::string tail(Task task, const std::vector<std::string>& metadata,
                   const std::vector<Prediction>& predictions) const;
  /// The predicted metadata of one sample as a JSON object: of each field the likeliest label, of a
  /// number its value.
  std::string metadata(const Prediction& prediction) const;

 private:
  struct Field {
    std::string name, metadata_name;  // as JSON, with the colon
    std::vector<std::string> labels;  // as JSON, with the colon
    std::vector<std::string> texts;   // as JSON
  };
  void add_probabilities(std::string& out, const Prediction& prediction) const;

  std::vector<Field> fields_;
  std::shared_ptr<const std::string> head_;
};

}  // namespace cellmill::serve
