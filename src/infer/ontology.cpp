#include "infer/ontology.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <set>
#include <sstream>

#include "base/error.h"
#include "base/format.h"
#include "io/files.h"
#include "io/json.h"

namespace cellmill::infer {
namespace {

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

/// The value of an .obo line "key: value ! comment", if it is of this key.
std::optional<std::string> value_of(const std::string& line, const std::string& key) {
  if (!line.starts_with(key + ": ")) return {};
  auto value = line.substr(key.size() + 2);
  if (key == "is_a") value = value.substr(0, value.find_first_of(" {!"));
  while (value.ends_with('\r') || value.ends_with(' ')) value.pop_back();
  return value;
}

}  // namespace

Ontology::Ontology(const std::filesystem::path& file) {
  if (file.extension() == ".json")
    read_json(file);
  else if (file.extension() == ".obo")
    read_obo(file);
  else
    throw UsageError(file.string() + ": its suffix names no ontology that I know",
                     "known: .obo, and .json with {term: [parents]}");
  index(file.string());
}

Ontology::Ontology(std::map<std::string, std::vector<std::string>> parents,
                   std::map<std::string, std::string> names)
    : parents_(std::move(parents)), name_(std::move(names)) {
  index("ontology");
}

void Ontology::read_obo(const std::filesystem::path& file) {
  std::istringstream text(io::read_text(file));
  struct Term {
    std::string id, name;
    std::vector<std::string> parents, synonyms;
    bool obsolete = false;
  } term;
  bool inside = false;
  const auto keep = [&] {
    if (!inside || term.id.empty() || term.obsolete) return;
    parents_[term.id] = term.parents;
    name_[term.id] = term.name;
    for (const auto& synonym : term.synonyms) id_.emplace(lower(synonym), term.id);
  };
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with('[')) {
      keep();
      term = {};
      inside = line.starts_with("[Term]");
    } else if (const auto id = value_of(line, "id")) {
      term.id = *id;
    } else if (const auto name = value_of(line, "name")) {
      term.name = *name;
    } else if (const auto parent = value_of(line, "is_a")) {
      term.parents.push_back(*parent);
    } else if (const auto synonym = value_of(line, "synonym")) {
      const auto end = synonym->find("\" EXACT");
      if (end != std::string::npos && synonym->starts_with('"'))
        term.synonyms.push_back(synonym->substr(1, end - 1));
    } else if (const auto obsolete = value_of(line, "is_obsolete")) {
      term.obsolete = *obsolete == "true";
    }
  }
  keep();
  if (parents_.empty())
    throw DataError({file.string(), {}, "[Term] stanzas", "none"}, "is no .obo file");
}

void Ontology::read_json(const std::filesystem::path& file) {
  const auto json = io::Json::parse(io::read_text(file), nullptr, /*allow_exceptions=*/false);
  const auto bad = [&](const std::string& where, const std::string& found) {
    return DataError({file.string(), where, "{\"term\": [\"parent\", ...], ...}", found},
                     "is no such ontology");
  };
  if (!json.is_object()) throw bad("the whole", "something else");
  for (const auto& [term, above] : json.items()) {
    if (!above.is_array()) throw bad(term, above.dump());
    for (const auto& parent : above) {
      if (!parent.is_string()) throw bad(term, parent.dump());
      parents_[term].push_back(parent.get<std::string>());
    }
    parents_[term];
  }
}

void Ontology::index(const std::string& file) {
  const auto named = parents_;
  for (const auto& [term, above] : named)
    for (const auto& parent : above) parents_[parent];
  for (const auto& [id, name] : name_) id_.insert_or_assign(lower(name), id);
  for (const auto& [term, above] : parents_) id_.insert_or_assign(lower(term), term);
  std::set<std::string> open;
  const std::function<std::int64_t(const std::string&)> deep = [&](const std::string& id) {
    if (const auto known = depth_.find(id); known != depth_.end()) return known->second;
    if (!open.insert(id).second)
      throw DataError({file, "term " + id, "no term above itself", {}}, "goes round in a circle");
    std::int64_t depth = 0;
    for (const auto& parent : parents_.at(id)) depth = std::max(depth, deep(parent) + 1);
    open.erase(id);
    return depth_[id] = depth;
  };
  for (const auto& [term, above] : parents_) deep(term);
}

std::optional<std::string> Ontology::find(const std::string& label) const {
  const auto found = id_.find(lower(label));
  if (found == id_.end()) return {};
  return found->second;
}

std::string Ontology::name(const std::string& id) const {
  const auto found = name_.find(id);
  return found == name_.end() || found->second.empty() ? id : found->second;
}

std::vector<std::string> Ontology::lineage(const std::string& id) const {
  std::set<std::string> all = {id};
  std::vector<std::string> next = {id};
  while (!next.empty()) {
    const auto term = next.back();
    next.pop_back();
    for (const auto& parent : parents_.at(term))
      if (all.insert(parent).second) next.push_back(parent);
  }
  return {all.begin(), all.end()};
}

std::int64_t Ontology::depth(const std::string& id) const { return depth_.at(id); }

RolledUp roll_up(const PredictedField& field, const Ontology& ontology, double threshold) {
  RolledUp answer;
  std::map<std::string, std::vector<std::int64_t>> below;  // term -> labels at or below it
  std::vector<std::vector<std::string>> lineages;          // of each label, deepest first
  for (std::size_t w = 0; w < field.words.size(); ++w) {
    const auto id = ontology.find(field.words[w]);
    if (!id) answer.unknown.push_back(field.words[w]);
    auto lineage = id ? ontology.lineage(*id) : std::vector<std::string>{field.words[w]};
    if (id)
      std::stable_sort(lineage.begin(), lineage.end(), [&](const auto& a, const auto& b) {
        return ontology.depth(a) > ontology.depth(b);
      });
    for (const auto& term : lineage) below[term].push_back(static_cast<std::int64_t>(w));
    lineages.push_back(std::move(lineage));
  }
  const auto probabilities = field.probabilities.to(at::kDouble).contiguous();
  const auto* row = probabilities.const_data_ptr<double>();
  for (const auto label : field.label) {
    std::string term;
    double sure = 0;
    for (const auto& candidate : lineages[static_cast<std::size_t>(label)]) {
      sure = 0;
      for (const auto w : below.at(candidate)) sure += row[w];
      if (sure < threshold) continue;
      term = candidate;
      break;
    }
    const auto known = term.empty() ? std::nullopt : ontology.find(term);
    answer.term.push_back(term);
    answer.name.push_back(known ? ontology.name(*known) : term);
    answer.probability.push_back(term.empty() ? 0 : sure);
    row += field.words.size();
  }
  return answer;
}

}  // namespace cellmill::infer
