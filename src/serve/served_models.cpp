#include "serve/served_models.h"

#include "base/error.h"
#include "base/format.h"

namespace cellmill::serve {

ServedModel::ServedModel(std::string given, std::unique_ptr<Predictor> given_predictor,
                         const BatchOptions& options, Metrics& metrics)
    : name(std::move(given)),
      predictor(std::move(given_predictor)),
      facts(predictor->facts()),
      writer(facts),
      batcher(*predictor, options, [this, &metrics](std::size_t rows, double seconds) {
        metrics.batch(name, rows, seconds);
      }) {}

void ServedModels::add(const std::string& name, std::unique_ptr<Predictor> predictor,
                       const BatchOptions& options, Metrics& metrics) {
  const bool plain = !name.empty() && name.size() <= 64 &&
                     name.find_first_not_of(
                         "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                         "0123456789-.") == std::string::npos;
  if (!plain)
    throw UsageError(
        fmt::format("\"{}\" cannot be the name of a model: letters, digits, '-' and '.'", name),
        "--model gem-1-sc=CHECKPOINT");
  for (const ServedModel& model : models_)
    if (model.name == name) throw UsageError(fmt::format("two models are called {}", name));
  ServedModel& model = models_.emplace_back(name, std::move(predictor), options, metrics);
  if (model.facts.generates) {
    offers_.push_back({name, Task::kGenerate, &model});
    offers_.push_back({name + "_reference-conditioning", Task::kCondition, &model});
  }
  offers_.push_back({name + "_predict-metadata", Task::kPredict, &model});
}

const Offer* ServedModels::find(const std::string& id) const {
  for (const Offer& offer : offers_)
    if (offer.id == id) return &offer;
  return nullptr;
}

}  // namespace cellmill::serve
