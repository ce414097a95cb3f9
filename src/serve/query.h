#pragma once
// A prediction request as it came, turned into rows for a predictor, or into what is wrong with it.
// Pure functions of the body and the model's facts.
#include <string>
#include <vector>

#include "serve/complaint.h"
#include "serve/predictor.h"

namespace cellmill::serve {

/// What a model id asks of a model: gem-1-bulk_predict-metadata, gem-1-bulk,
/// gem-1-bulk_reference-conditioning.
enum class Task { kPredict, kGenerate, kCondition };

struct QueryLimits {
  std::int64_t samples = 64;  ///< rows of one request
};

struct Query {
  Rows rows;
  std::vector<std::string> metadata;  ///< of rows to generate, as JSON objects, as they were asked
  std::size_t size() const {
    return std::visit([](const auto& rows) { return rows.size(); }, rows);
  }
};

struct ParsedQuery {
  Query query;
  std::vector<Complaint> complaints;  ///< empty: the query holds
  bool json = true;                   ///< false: the body is no JSON
};

/// `body` gets spare capacity, its text stays.
ParsedQuery parse_query(std::string& body, Task task, const ModelFacts& facts,
                        const QueryLimits& limits);
/// The same without serve/lifted_counts.h: what knows the place of everything that is wrong.
ParsedQuery parse_whole_query(std::string& body, Task task, const ModelFacts& facts,
                              const QueryLimits& limits);

/// 400 or 422 for what is wrong.
Response refusal(const ParsedQuery& parsed);

/// A query that parse_query takes: {"example_query": {...}}.
std::string example_query(Task task, const ModelFacts& facts);

/// The most bytes that a request of so many samples takes, counts of eight digits and blanks
/// included.
std::uint64_t body_limit(const ModelFacts& facts, const QueryLimits& limits);

}  // namespace cellmill::serve
