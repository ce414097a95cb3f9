#include "serve/query.h"

#include "base/format.h"
#include "base/nearest.h"
#include "base/random.h"
#include "io/json.h"
#include "serve/body_reader.h"
#include "serve/wanted_metadata.h"

namespace cellmill::serve {
namespace {

constexpr double kLargestTotal = 1e9;

std::uint64_t seed_of(std::uint64_t seed, std::size_t input, std::size_t copy) {
  return random::mix(random::mix(random::mix(seed) ^ input) ^ copy);
}

/// An element of `inputs`.
struct Input {
  Counts counts;
  AskedMetadata metadata;
  std::int64_t samples = 1;
};

class QueryReader {
 public:
  QueryReader(Task task, const ModelFacts& facts, const QueryLimits& limits, LiftedCounts* lifted)
      : task_(task), facts_(facts), limits_(limits), reader_(lifted) {}

  void read(ondemand::value root) {
    auto query = reader_.object(root, "", "\"inputs\"");
    if (!query) return;
    bool inputs = false;
    for (ondemand::field field : *query) {
      const std::string key(std::string_view(field.unescaped_key()));
      ondemand::value value = field.value();
      if (key == "inputs") {
        if (std::exchange(inputs, true))
          reader_.complain(key, "is there twice");
        else
          read_inputs(value);
      } else if (key == "seed") {
        if (const auto seed = reader_.integer(value, key, INT64_MIN, INT64_MAX))
          seed_ = static_cast<std::uint64_t>(*seed);
      } else if (key == "source") {
        reader_.text(value, key);
      } else if (task_ == Task::kPredict || !read_setting(key, value)) {
        reader_.complain(key, "is no parameter of this model. " + did_you_mean(key, parameters()));
      }
    }
    if (!inputs) reader_.complain("inputs", "is required: a list of samples");
    if (task_ != Task::kPredict && !strategy_)
      reader_.complain("sampling_strategy",
                       "is required: \"mean estimation\"" +
                           std::string(facts_.bulk ? " or \"sample generation\"" : ""));
  }

  std::vector<Complaint> complaints() const { return reader_.complaints(); }

  Query query() {
    Query query;
    if (task_ == Task::kPredict) {
      std::vector<Profile> rows;
      for (std::size_t i = 0; i < inputs_.size(); ++i)
        rows.push_back({std::move(inputs_[i].counts), seed_of(seed_, i, 0)});
      query.rows = std::move(rows);
    } else {
      query.rows = wanted(query.metadata);
    }
    return query;
  }

 private:
  std::vector<std::string> parameters() const {
    if (task_ == Task::kPredict) return {"inputs", "seed"};
    std::vector<std::string> names = {"inputs", "seed", "sampling_strategy", "total_count",
                                      "deterministic_latents"};
    if (task_ == Task::kCondition) names.insert(names.end(), {"conditioning", "fixed_total_count"});
    return names;
  }

  bool read_setting(const std::string& key, ondemand::value value) {
    if (key == "sampling_strategy") {
      if (const auto text = reader_.text(value, key)) read_strategy(*text);
    } else if (key == "total_count") {
      if (const auto n = reader_.integer(value, key, 1, static_cast<std::int64_t>(kLargestTotal)))
        total_ = static_cast<double>(*n);
    } else if (key == "deterministic_latents") {
      deterministic_ = reader_.boolean(value, key).value_or(false);
    } else if (key == "fixed_total_count" && task_ == Task::kCondition) {
      fixed_total_ = reader_.boolean(value, key).value_or(false);
    } else if (key == "conditioning" && task_ == Task::kCondition) {
      read_conditioning(value);
    } else {
      return false;
    }
    return true;
  }

  void read_strategy(const std::string& text) {
    strategy_ = true;
    noise_ = text == "sample generation";
    if (text == "mean estimation" || (noise_ && facts_.bulk)) return;
    reader_.complain("sampling_strategy", fmt::format("must be \"mean estimation\"{}, found \"{}\"",
                                                      facts_.bulk ? " or \"sample generation\""
                                                                  : " (single cells have no other)",
                                                      text));
  }

  void read_conditioning(ondemand::value value) {
    auto names = reader_.list(value, "conditioning", "latents: biological, technical");
    if (!names) return;
    from_reference_ = {};
    std::size_t place = 0;
    for (ondemand::value each : *names) {
      const std::string path = fmt::format("conditioning[{}]", place++);
      const auto name = reader_.text(each, path);
      if (!name) continue;
      const auto at = std::find(kLatentNames.begin(), kLatentNames.end(), *name);
      if (at == kLatentNames.end()) {
        reader_.complain(
            path,
            fmt::format("must be biological, technical or perturbation, found \"{}\"", *name));
        return;
      }
      from_reference_[at - kLatentNames.begin()] = true;
    }
  }

  void read_inputs(ondemand::value value) {
    auto inputs = reader_.list(value, "inputs", "samples");
    if (!inputs) return;
    std::int64_t samples = 0;
    for (ondemand::value each : *inputs) {
      const std::string path = fmt::format("inputs[{}]", inputs_.size());
      inputs_.push_back(read_input(each, path));
      samples += inputs_.back().samples;
      if (samples > limits_.samples) {
        reader_.complain("inputs", fmt::format("must ask for at most {} samples in one request",
                                               limits_.samples));
        return;
      }
      if (reader_.complaints().size() == kComplaints) return;
    }
    if (inputs_.empty()) reader_.complain("inputs", "must hold at least one sample");
  }

  Input read_input(ondemand::value value, const std::string& path) {
    Input input;
    const bool counted = task_ != Task::kGenerate;
    auto object = reader_.object(value, path, counted ? "\"counts\"" : "\"metadata\"");
    if (!object) return input;
    bool counts = false;
    for (ondemand::field field : *object) {
      const std::string key(std::string_view(field.unescaped_key()));
      const std::string place = path + "." + key;
      if (counted && key == "counts") {
        if (std::exchange(counts, true))
          reader_.complain(place, "is there twice");
        else
          input.counts = reader_.counts(field.value(), place, facts_.gene_order.size());
      } else if (task_ != Task::kPredict && key == "metadata") {
        input.metadata =
            read_metadata(reader_, field.value(), place, facts_, task_ == Task::kCondition);
      } else if (task_ != Task::kPredict && key == "num_samples") {
        input.samples = reader_.integer(field.value(), place, 1, limits_.samples).value_or(1);
      } else {
        reader_.complain(place, "is unknown here");
      }
    }
    if (counted && !counts)
      reader_.complain(
          path + ".counts",
          fmt::format("is required: {} counts, one a gene of the model", facts_.gene_order.size()));
    return input;
  }

  std::vector<Wanted> wanted(std::vector<std::string>& texts) {
    std::vector<Wanted> rows;
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      for (std::int64_t copy = 0; copy < inputs_[i].samples; ++copy) {
        Wanted row;
        row.metadata = inputs_[i].metadata.values;
        row.reference = inputs_[i].counts;
        if (task_ == Task::kCondition) row.from_reference = from_reference_;
        row.noise = noise_;
        row.deterministic_latents = deterministic_;
        row.total_count = total_ > 0 ? total_ : facts_.total_count;
        if (task_ == Task::kCondition && !fixed_total_) {
          row.total_count = 0;
          for (float count : row.reference.values) row.total_count += count;
        }
        row.seed = seed_of(seed_, i, static_cast<std::size_t>(copy));
        rows.push_back(std::move(row));
        texts.push_back(inputs_[i].metadata.text);
      }
    }
    return rows;
  }

  const Task task_;
  const ModelFacts& facts_;
  const QueryLimits& limits_;
  BodyReader reader_;
  std::vector<Input> inputs_;
  std::uint64_t seed_ = 0;
  bool strategy_ = false, noise_ = false, deterministic_ = false, fixed_total_ = false;
  double total_ = 0;
  std::array<bool, 3> from_reference_ = {true, true, false};
};

ParsedQuery parse(std::string& body, LiftedCounts* lifted, Task task, const ModelFacts& facts,
                  const QueryLimits& limits) {
  ParsedQuery parsed;
  QueryReader reader(task, facts, limits, lifted);
  try {
    body.reserve(body.size() + simdjson::SIMDJSON_PADDING);
    ondemand::parser parser;
    ondemand::document document = parser.iterate(body.data(), body.size(), body.capacity());
    ondemand::value root;
    if (document.get_value().get(root) != simdjson::SUCCESS) {  // a lone number, text or null
      const std::string_view token = document.raw_json_token();
      parsed.complaints.push_back(
          {"", fmt::format("must be an object with \"inputs\", found {}", token.substr(0, 40))});
      return parsed;
    }
    reader.read(root);
    parsed.complaints = reader.complaints();
    if (parsed.complaints.empty() &&
        document.current_location().error() != simdjson::OUT_OF_BOUNDS) {
      parsed.json = false;
      parsed.complaints.push_back({"", "the body goes on after its JSON value"});
    }
    if (parsed.complaints.empty()) parsed.query = reader.query();
  } catch (const simdjson::simdjson_error& error) {
    parsed.complaints = reader.complaints();  // what was wrong before it broke has a path
    parsed.json = false;
    if (parsed.complaints.empty())
      parsed.complaints.push_back({"", std::string("the body is not valid JSON: ") + error.what()});
  }
  return parsed;
}

}  // namespace

ParsedQuery parse_query(std::string& body, Task task, const ModelFacts& facts,
                        const QueryLimits& limits) {
  const auto most = static_cast<std::size_t>(limits.samples);
  if (auto lifted = lift_counts(body, facts.gene_order.size(), most)) {
    ParsedQuery parsed = parse(lifted->text, &*lifted, task, facts, limits);
    if (parsed.complaints.empty()) return parsed;
  }
  return parse_whole_query(body, task, facts, limits);
}

ParsedQuery parse_whole_query(std::string& body, Task task, const ModelFacts& facts,
                              const QueryLimits& limits) {
  return parse(body, nullptr, task, facts, limits);
}

Response refusal(const ParsedQuery& parsed) {
  return parsed.json ? refusal(422, "Invalid request", parsed.complaints)
                     : refusal(400, "Invalid JSON", parsed.complaints);
}

std::string example_query(Task task, const ModelFacts& facts) {
  io::Json query, input = io::Json::object();
  if (task != Task::kPredict) query["sampling_strategy"] = "mean estimation";
  if (task != Task::kGenerate) {
    std::vector<int> counts(facts.gene_order.size());
    for (std::size_t gene = 0; gene < counts.size(); gene += 3) counts[gene] = 1 + gene % 5;
    input["counts"] = std::move(counts);
  }
  if (task != Task::kPredict) {
    input["metadata"] = example_metadata(facts, task == Task::kCondition);
    input["num_samples"] = 1;
  }
  query["inputs"] = io::Json::array({std::move(input)});
  if (task == Task::kCondition) query["conditioning"] = {"biological", "technical"};
  query["seed"] = 11;
  return io::Json{{"example_query", std::move(query)}}.dump();
}

std::uint64_t body_limit(const ModelFacts& facts, const QueryLimits& limits) {
  return 65536 + static_cast<std::uint64_t>(limits.samples) * (12 * facts.gene_order.size() + 4096);
}

}  // namespace cellmill::serve
