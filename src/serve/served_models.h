#pragma once
// The models that are loaded and the ids under which they are asked: a model NAME answers to NAME
// (generate), NAME_reference-conditioning and NAME_predict-metadata. Fixed once the service runs.
#include <deque>
#include <memory>
#include <string>

#include "serve/answer.h"
#include "serve/batcher.h"
#include "serve/metrics.h"
#include "serve/query.h"

namespace cellmill::serve {

struct ServedModel {
  ServedModel(std::string name, std::unique_ptr<Predictor> predictor, const BatchOptions& options,
              Metrics& metrics);

  const std::string name;
  const std::unique_ptr<Predictor> predictor;
  const ModelFacts& facts;
  const AnswerWriter writer;
  Batcher batcher;
};

/// A model id.
struct Offer {
  std::string id;
  Task task;
  ServedModel* model;
};

class ServedModels {
 public:
  /// Throws UsageError for a name given twice or one that cannot be part of an address.
  void add(const std::string& name, std::unique_ptr<Predictor> predictor,
           const BatchOptions& options, Metrics& metrics);
  /// None for an id that is not loaded.
  const Offer* find(const std::string& id) const;
  const std::deque<Offer>& offers() const { return offers_; }
  std::deque<ServedModel>& models() { return models_; }
  const std::deque<ServedModel>& models() const { return models_; }

 private:
  std::deque<ServedModel> models_;
  std::deque<Offer> offers_;
};

}  // namespace cellmill::serve
