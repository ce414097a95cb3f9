#include "serve/query.h"

#include <catch2/catch.hpp>

#include "io/json.h"
#include "test_predictor.h"

namespace cellmill::serve {
namespace {

const ModelFacts& facts() {
  static const TestPredictor model(4, true);
  return model.facts();
}

std::vector<std::pair<std::string, std::string>> told(const ParsedQuery& query) {
  std::vector<std::pair<std::string, std::string>> told;
  for (const Complaint& each : query.complaints) told.emplace_back(each.path, each.message);
  return told;
}

const Counts& counts_of(const Profile& row) { return row.counts; }
const Counts& counts_of(const Wanted& row) { return row.reference; }

// Both ways of reading say the same.
ParsedQuery parsed(std::string body, Task task = Task::kPredict, std::int64_t samples = 3) {
  ParsedQuery query = parse_query(body, task, facts(), {samples});
  const ParsedQuery whole = parse_whole_query(body, task, facts(), {samples});
  CATCH_CHECK(told(query) == told(whole));
  CATCH_CHECK(query.json == whole.json);
  CATCH_CHECK(query.query.metadata == whole.query.metadata);
  CATCH_REQUIRE(query.query.rows.index() == whole.query.rows.index());
  std::visit(
      [&](const auto& rows) {
        const auto& others = std::get<std::decay_t<decltype(rows)>>(whole.query.rows);
        CATCH_REQUIRE(rows.size() == others.size());
        for (std::size_t i = 0; i < rows.size(); ++i) {
          CATCH_CHECK(counts_of(rows[i]).genes == counts_of(others[i]).genes);
          CATCH_CHECK(counts_of(rows[i]).values == counts_of(others[i]).values);
          CATCH_CHECK(rows[i].seed == others[i].seed);
        }
      },
      query.query.rows);
  return query;
}

// "path: message" of the only complaint.
std::string wrong(const std::string& body, Task task = Task::kPredict) {
  const ParsedQuery query = parsed(body, task);
  return query.complaints.size() == 1
             ? query.complaints[0].path + ": " + query.complaints[0].message
             : std::to_string(query.complaints.size()) + " complaints";
}

std::string counts(const std::string& list) { return R"({"inputs":[{"counts":)" + list + "}]}"; }

}  // namespace

CATCH_TEST_CASE("counts become rows, whole floats too, zeros left out") {
  ParsedQuery query = parsed(
      R"({"inputs":[{"counts":[0,5,0,2.0]},{"counts":[1e2,0,0,0]}],"seed":7,"source":"pysynthbio"})");
  CATCH_REQUIRE(query.complaints.empty());
  const auto& rows = std::get<std::vector<Profile>>(query.query.rows);
  CATCH_REQUIRE(rows.size() == 2);
  CATCH_CHECK(rows[0].counts.genes == UnsetVector<std::int32_t>{1, 3});
  CATCH_CHECK(rows[0].counts.values == UnsetVector<float>{5, 2});
  CATCH_CHECK(rows[1].counts.values == UnsetVector<float>{100});
  CATCH_CHECK(rows[0].seed != rows[1].seed);
  const auto again = std::get<std::vector<Profile>>(
      parsed(R"({"seed":7,"inputs":[{"counts":[1,1,1,1]}]})").query.rows);
  CATCH_CHECK(again[0].seed == rows[0].seed);
}

CATCH_TEST_CASE("what is wrong with counts is told by its path") {
  CATCH_CHECK(wrong(counts("[1,2,3]")) ==
              "inputs[0].counts: must hold 4 counts, one a gene of the model; found 3");
  CATCH_CHECK(wrong(counts("[1,2,3,4,5]")) ==
              "inputs[0].counts: must hold 4 counts, one a gene of the model; found more");
  CATCH_CHECK(wrong(counts("[1,-2,3,4]")) ==
              "inputs[0].counts[1]: must be a whole number of at least 0, found -2");
  CATCH_CHECK(wrong(counts("[10.5,2,3,4]")) ==
              "inputs[0].counts[0]: must be a whole number of at least 0, found 10.5");
  CATCH_CHECK(wrong(counts("[1,2,NaN,4]")) ==
              "inputs[0].counts[2]: must be a whole number of at least 0, found NaN");
  CATCH_CHECK(wrong(counts(R"([1,2,3,"4"])")) ==
              "inputs[0].counts[3]: must be a whole number of at least 0, found the text \"4\"");
  CATCH_CHECK(wrong(counts("[1,[2],3,4]")) ==
              "inputs[0].counts[1]: must be a whole number of at least 0, found a list");
  CATCH_CHECK(wrong(counts("[1,null,3,4]")) ==
              "inputs[0].counts[1]: must be a whole number of at least 0, found null");
  CATCH_CHECK(wrong(counts("[99999999,0,0,0]")) ==
              "inputs[0].counts[0]: must be a whole number of at most 16777216, found 99999999");
  CATCH_CHECK(wrong(counts("[0,0,0,0]")) ==
              "inputs[0].counts: must hold at least one count above 0");
  CATCH_CHECK(
      wrong(counts("{}")) ==
      "inputs[0].counts: must be a list of 4 counts, one a gene of the model, found an object");
  CATCH_CHECK(wrong(R"({"inputs":[{}]})") ==
              "inputs[0].counts: is required: 4 counts, one a gene of the model");
  CATCH_CHECK(wrong(R"({"inputs":[{"counts":[1,1,1,1]},{"counts":[1]}]})") ==
              "inputs[1].counts: must hold 4 counts, one a gene of the model; found 1");
}

CATCH_TEST_CASE("what is wrong with a request as a whole") {
  CATCH_CHECK(wrong("{}") == "inputs: is required: a list of samples");
  CATCH_CHECK(wrong(R"({"inputs":[]})") == "inputs: must hold at least one sample");
  CATCH_CHECK(wrong("[]") == ": must be an object with \"inputs\", found a list");
  CATCH_CHECK(wrong("7") == ": must be an object with \"inputs\", found 7");
  CATCH_CHECK(wrong(R"({"inputs":[{"counts":[1,1,1,1]}],"sede":3})") ==
              "sede: is no parameter of this model. did you mean seed?");
  CATCH_CHECK(wrong(R"({"inputs":[{"counts":[1,1,1,1]}],"seed":"x"})")
                  .starts_with("seed: must be a whole number from "));
  const std::string one = R"({"counts":[1,1,1,1]})";
  CATCH_CHECK(wrong(R"({"inputs":[)" + one + "," + one + "," + one + "," + one + "]}") ==
              "inputs: must ask for at most 3 samples in one request");
}

CATCH_TEST_CASE("what is no JSON is refused as such, however deep or long") {
  for (const std::string body : {"", "{", "{\"inputs\":[{\"counts\":[1,1,1,1]}]} x",
                                 "{\"inputs\":", "\xff\xfe", "{\"inputs\" 3}"}) {
    const ParsedQuery query = parsed(body);
    CATCH_INFO(body);
    CATCH_CHECK(!query.complaints.empty());
    CATCH_CHECK(!query.json);
  }
  CATCH_CHECK(!parsed(counts(std::string(1'000'000, '['))).complaints.empty());
  CATCH_CHECK(!parsed(std::string(1'000'000, '[')).complaints.empty());
  CATCH_CHECK(parsed(R"({"x":)" + std::string(5000, '[') + std::string(5000, ']') + "}")
                  .complaints.size() >= 1);
}

CATCH_TEST_CASE("samples to generate: settings, copies with seeds of their own, vocabulary") {
  const std::string metadata =
      R"({"metadata":{"sex":"female","cell_type_ontology_id":"CL:0000084","perturbation_dose":"10 um"},"num_samples":2})";
  ParsedQuery query = parsed(
      R"({"sampling_strategy":"sample generation","total_count":500,"deterministic_latents":true,"inputs":[)" +
          metadata + "]}",
      Task::kGenerate);
  CATCH_REQUIRE(query.complaints.empty());
  const auto& rows = std::get<std::vector<Wanted>>(query.query.rows);
  CATCH_REQUIRE(rows.size() == 2);
  CATCH_CHECK(rows[0].seed != rows[1].seed);
  CATCH_CHECK(rows[0].noise);
  CATCH_CHECK(rows[0].deterministic_latents);
  CATCH_CHECK(rows[0].total_count == 500);
  CATCH_CHECK(rows[0].metadata == std::vector<std::pair<std::size_t, std::string>>{
                                      {3, "female"}, {0, "CL:0000084"}, {7, "10 um"}});
  CATCH_CHECK(io::Json::parse(query.query.metadata[1])["sex"] == "female");

  const auto refused = [](const std::string& fields) {
    return wrong(
        R"({"sampling_strategy":"mean estimation","inputs":[{"metadata":{)" + fields + "}}]}",
        Task::kGenerate);
  };
  CATCH_CHECK(
      refused(R"("sex":"femal")") ==
      "inputs[0].metadata.sex: \"femal\" is no value that the model knows. did you mean female?");
  CATCH_CHECK(
      refused(R"("sexx":"male")")
          .starts_with("inputs[0].metadata.sexx: is no field of the model. did you mean sex?"));
  CATCH_CHECK(
      refused(R"("perturbation_dose":"10 km")")
          .starts_with(
              "inputs[0].metadata.perturbation_dose: \"km\" is no unit that the model knows."));
  CATCH_CHECK(wrong(R"({"inputs":[{"metadata":{}}]})", Task::kGenerate) ==
              "sampling_strategy: is required: \"mean estimation\" or \"sample generation\"");
}

CATCH_TEST_CASE("conditioning on a reference: its own total unless told, perturbations alone") {
  ParsedQuery query = parsed(
      R"({"sampling_strategy":"mean estimation","conditioning":["technical"],"inputs":[{"counts":[1,2,3,4],"metadata":{"perturbation_type":"crispr"}}]})",
      Task::kCondition);
  CATCH_REQUIRE(query.complaints.empty());
  const Wanted& row = std::get<std::vector<Wanted>>(query.query.rows)[0];
  CATCH_CHECK(row.total_count == 10);
  CATCH_CHECK(row.from_reference == std::array<bool, 3>{false, true, false});
  CATCH_CHECK(
      wrong(
          R"({"sampling_strategy":"mean estimation","inputs":[{"counts":[1,2,3,4],"metadata":{"sex":"male"}}]})",
          Task::kCondition)
          .starts_with(
              "inputs[0].metadata.sex: is of the reference: only perturbations may be asked."));
}

CATCH_TEST_CASE("every example is a query that holds") {
  for (Task task : {Task::kPredict, Task::kGenerate, Task::kCondition}) {
    const ParsedQuery query =
        parsed(io::Json::parse(example_query(task, facts()))["example_query"].dump(), task);
    CATCH_CHECK(query.complaints.empty());
    CATCH_CHECK(query.query.size() == 1);
  }
}

CATCH_TEST_CASE("lists that are taken out of a body come back in their places, and only there") {
  const ParsedQuery query = parsed(
      R"({"inputs":[{"counts" : [0, 5, 0, 2]},{"counts":[1,1,1,10.0]},{"counts":[7,0,0,0]}]})");
  CATCH_REQUIRE(query.complaints.empty());
  const auto& rows = std::get<std::vector<Profile>>(query.query.rows);
  CATCH_CHECK(rows[0].counts.values == UnsetVector<float>{5, 2});
  CATCH_CHECK(rows[1].counts.values == UnsetVector<float>{1, 1, 1, 10});
  CATCH_CHECK(rows[2].counts.values == UnsetVector<float>{7});
  const std::string reference =
      R"("conditioning":["biological"],"sampling_strategy":"mean estimation")";
  for (
      const char* body :
      {R"({"inputs":[{"counts":[1,2,3,4]}],"source":"\"counts\":[1,2,3,4]"})",
       R"({"inputs":[{"counts":[1,2,3,4],"counts":[1,2,3,4]}]})",
       R"({"inputs":[{"counts":[1,2,3,4]}],"counts":[1,2,3,4]})",
       R"({"inputs":[{"counts":[1,2,3,4]}],"x\"counts":[1,2,3,4]})",
       R"({"inputs":[{"counts":[1,2,3,4]},{"counts":[1,2,3]}]})",
       R"({"inputs":[{"counts":[1,2,3,4]},{"counts":[]}]})",
       R"({"inputs":[{"counts":[1,2,3,4]},{"counts":[0,0,0,0]}]})",
       R"({"inputs":[{"counts":[1,2,3,4]},{"counts":[1,2,3,4]},{"counts":[1,2,3,4]},{"counts":[1,2,3,4]}]})",
       R"({"inputs":[{"counts":[1,2,3,4]}]} 5)", R"({"inputs":[{"counts":[1,2,3,4]})",
       R"({"inputs":[{"counts":[1,2,3,4]}],"seed":"\xff"})"})
    parsed(body);
  const std::string body =
      R"({"inputs":[{"counts":[1,2,3,4],"metadata":{"perturbation_type":"crispr"},"num_samples":2}],)" +
      reference + "}";
  CATCH_CHECK(parsed(body, Task::kCondition).query.size() == 2);
  CATCH_CHECK(parsed(body, Task::kGenerate).complaints.size() > 0);
}

}  // namespace cellmill::serve
