#include "serve/arrow_stream.h"

#include <arrow/api.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/writer.h>

#include <algorithm>

#include "base/error.h"
#include "io/json.h"

namespace cellmill::serve {
namespace {

using Array = std::shared_ptr<arrow::Array>;

template <class T>
T must(arrow::Result<T> result) {
  if (!result.ok()) throw InternalError("Arrow: " + result.status().ToString());
  return std::move(result).ValueOrDie();
}
void must(const arrow::Status& status) {
  if (!status.ok()) throw InternalError("Arrow: " + status.ToString());
}

struct Column {
  std::string name;
  Array values;
};

Array structure(const std::vector<Column>& columns, std::size_t rows) {
  arrow::ArrayVector values;
  arrow::FieldVector fields;
  for (const Column& column : columns) {
    values.push_back(column.values);
    fields.push_back(arrow::field(column.name, column.values->type()));
  }
  return std::make_shared<arrow::StructArray>(arrow::struct_(fields),
                                              static_cast<std::int64_t>(rows), values);
}

// Lists of one row each; `row(i)` is a vector of the builder's numbers.
template <class Builder, class Row>
Array lists(std::size_t rows, const Row& row) {
  auto numbers = std::make_shared<Builder>();
  arrow::ListBuilder builder(arrow::default_memory_pool(), numbers);
  for (std::size_t i = 0; i < rows; ++i) {
    const auto& values = row(i);
    must(builder.Append());
    if constexpr (std::is_same_v<Builder, arrow::Int32Builder>) {
      must(numbers->AppendValues(values.data(), static_cast<std::int64_t>(values.size())));
    } else {
      must(numbers->Reserve(static_cast<std::int64_t>(values.size())));
      for (float value : values) numbers->UnsafeAppend(value);
    }
  }
  return must(builder.Finish());
}

Array latent(const std::vector<Prediction>& predictions, std::size_t which) {
  return lists<arrow::DoubleBuilder>(
      predictions.size(), [&](std::size_t i) -> const auto& {
        return predictions[i].latents[which];
      });
}

Array counts(const std::vector<Prediction>& predictions) {
  return lists<arrow::Int32Builder>(
      predictions.size(), [&](std::size_t i) -> const auto& { return predictions[i].counts; });
}

// Objects of texts as a struct with the keys of them all, in the order in which they come.
Array texts(const std::vector<std::string>& objects) {
  std::vector<io::Json> rows;
  std::vector<std::string> keys;
  for (const std::string& object : objects) {
    rows.push_back(io::Json::parse(object));
    for (const auto& [key, value] : rows.back().items())
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
  }
  std::vector<Column> columns;
  for (const std::string& key : keys) {
    arrow::StringBuilder builder;
    for (const io::Json& row : rows)
      must(row.contains(key) ? builder.Append(row[key].get<std::string>()) : builder.AppendNull());
    columns.push_back({key, must(builder.Finish())});
  }
  return structure(columns, objects.size());
}

Array probabilities(const ModelFacts& facts, const std::vector<Prediction>& predictions) {
  std::vector<Column> fields;
  for (std::size_t f = 0; f < facts.fields.size(); ++f) {
    if (predictions[0].probabilities[f].empty()) continue;
    std::vector<Column> labels;
    for (std::size_t label = 0; label < facts.fields[f].labels.size(); ++label) {
      arrow::DoubleBuilder builder;
      for (const Prediction& each : predictions) must(builder.Append(each.probabilities[f][label]));
      labels.push_back({facts.fields[f].labels[label], must(builder.Finish())});
    }
    fields.push_back({facts.fields[f].name, structure(labels, predictions.size())});
  }
  return structure(fields, predictions.size());
}

std::vector<Column> columns_of(Task task, const ModelFacts& facts,
                               const std::vector<std::string>& metadata,
                               const std::vector<Prediction>& predictions) {
  const std::size_t rows = predictions.size();
  if (task != Task::kPredict) {
    return {{"metadata", texts(metadata)},
            {"counts", counts(predictions)},
            {"biological_latent", latent(predictions, 0)},
            {"technical_latent", latent(predictions, 1)},
            {"perturbation_latent", latent(predictions, 2)}};
  }
  std::vector<Column> latents;
  for (std::size_t i = 0; i < kLatentNames.size(); ++i)
    latents.push_back({kLatentNames[i], latent(predictions, i)});
  return {{"classifier_probs", probabilities(facts, predictions)},
          {"latents", structure(latents, rows)},
          {"metadata", texts(metadata)},
          {"decoder_sample", structure({{"counts", counts(predictions)}}, rows)}};
}

}  // namespace

std::string arrow_stream(Task task, const ModelFacts& facts,
                         const std::vector<std::string>& metadata,
                         const std::vector<Prediction>& predictions) {
  arrow::FieldVector fields;
  arrow::ArrayVector values;
  for (const Column& column : columns_of(task, facts, metadata, predictions)) {
    fields.push_back(arrow::field(column.name, column.values->type()));
    values.push_back(column.values);
  }
  const auto told =
      arrow::key_value_metadata({"request_type", "model_version", "gene_order"},
                                {task == Task::kPredict ? "predict_metadata" : "baseline",
                                 facts.version, io::Json(facts.gene_order).dump()});
  const auto schema = arrow::schema(fields, told);
  const auto batch =
      arrow::RecordBatch::Make(schema, static_cast<std::int64_t>(predictions.size()), values);
  const auto sink = must(arrow::io::BufferOutputStream::Create());
  const auto writer = must(arrow::ipc::MakeStreamWriter(sink, schema));
  must(writer->WriteRecordBatch(*batch));
  must(writer->Close());
  return must(sink->Finish())->ToString();
}

}  // namespace cellmill::serve
