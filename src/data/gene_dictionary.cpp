#include "data/gene_dictionary.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "base/format.h"
#include "io/strict_json.h"

namespace cellmill::data {
namespace {

using Json = nlohmann::json;  // keys are looked up

constexpr std::int32_t kMostTokens = 1 << 20;
constexpr const char* kHint = "tools/gene_dictionary makes one of Geneformer's files";

struct Reader {
  const std::string& file;

  DataError error(const std::string& where, const std::string& what, const std::string& expected,
                  const std::string& found) const {
    return DataError({file, where, expected, found}, what, kHint);
  }
  const Json& object(const Json& content, const char* key) const {
    if (content.is_object() && content.contains(key) && content[key].is_object())
      return content[key];
    throw error(fmt::format("\"{}\"", key), "no gene dictionary", "an object",
                content.is_object() && content.contains(key) ? "another type" : "none");
  }
  Json parse(const std::string& text) const {
    try {
      return Json::parse(text, &io::shallow<Json>);
    } catch (const Json::exception& problem) {
      throw error({}, "not JSON", {}, problem.what());
    }
  }
};

std::string upper(std::string_view name) {
  std::string text(name);
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

bool is_special(const std::string& token) { return token.starts_with('<'); }

void read_tokens(const Reader& reader, const Json& tokens, GeneDictionary& dictionary) {
  for (const auto& [name, number] : tokens.items()) {
    const std::string where = fmt::format("tokens, \"{}\"", name);
    if (name.empty()) throw reader.error(where, "a token without a name", "a name", "none");
    if (!number.is_number_integer() || !(number >= 0 && number < kMostTokens))
      throw reader.error(where, "not the number of a token",
                         fmt::format("0 to {}", kMostTokens - 1), number.dump());
    const auto token = number.get<std::size_t>();
    if (token >= dictionary.tokens.size()) dictionary.tokens.resize(token + 1);
    if (!dictionary.tokens[token].empty())
      throw reader.error(where, "two tokens of one number", "distinct numbers",
                         fmt::format("{}, which \"{}\" has", token, dictionary.tokens[token]));
    dictionary.tokens[token] = name;
  }
  dictionary.medians.resize(dictionary.tokens.size());
}

void read_specials(const Reader& reader, const Json& tokens, GeneDictionary& dictionary) {
  const auto token = [&](const char* name, std::int32_t absent) {
    return tokens.contains(name) ? tokens[name].get<std::int32_t>() : absent;
  };
  for (const char* needed : {"<pad>", "<mask>"})
    if (!tokens.contains(needed)) throw reader.error("tokens", "no special token", needed, "none");
  dictionary.pad = token("<pad>", 0);
  dictionary.mask = token("<mask>", 1);
  dictionary.cls = token("<cls>", -1);
  dictionary.eos = token("<eos>", -1);
}

void read_medians(const Reader& reader, const Json& tokens, const Json& medians,
                  GeneDictionary& dictionary) {
  for (const auto& [gene, value] : medians.items()) {
    const std::string where = fmt::format("medians, \"{}\"", gene);
    if (!tokens.contains(gene)) throw reader.error(where, "a gene without a token", "one", "none");
    const double median = value.is_number() ? value.get<double>() : NAN;
    if (!(median > 0 && std::isfinite(median)))
      throw reader.error(where, "not a median", "a number above 0", value.dump());
    dictionary.medians[tokens[gene].get<std::size_t>()] = median;
  }
  std::int64_t genes = 0;
  for (std::size_t t = 0; t < dictionary.tokens.size(); ++t) {
    const std::string& name = dictionary.tokens[t];
    genes += dictionary.medians[t] > 0;
    if (!name.empty() && !is_special(name) && dictionary.medians[t] == 0)
      throw reader.error(fmt::format("tokens, \"{}\"", name), "a gene without a median",
                         "one of \"medians\"", "none");
  }
  if (genes == 0) throw reader.error("medians", "a dictionary without genes", "genes", "none");
}

void read_names(const Reader& reader, const Json& names, GeneDictionary& dictionary) {
  for (const auto& [name, gene] : names.items()) {
    const std::string where = fmt::format("names, \"{}\"", name);
    if (!gene.is_string()) throw reader.error(where, "not a gene", "its id", gene.dump());
    const auto [known, fresh] = dictionary.names.emplace(upper(name), gene.get<std::string>());
    if (!fresh && known->second != gene)
      throw reader.error(where, "a name of two genes, whatever its case", known->second,
                         gene.get<std::string>());
  }
}

/// An Ensembl id without its version; else empty.
std::string_view without_version(std::string_view name) {
  const auto dot = name.find('.');
  return name.starts_with("ENS") && dot != std::string_view::npos ? name.substr(0, dot) : "";
}

}  // namespace

GeneDictionary parse_gene_dictionary(const std::string& text, const std::string& file) {
  const Reader reader{file};
  const Json content = reader.parse(text);
  const Json& tokens = reader.object(content, "tokens");
  GeneDictionary dictionary;
  read_tokens(reader, tokens, dictionary);
  read_specials(reader, tokens, dictionary);
  read_medians(reader, tokens, reader.object(content, "medians"), dictionary);
  if (content.contains("names")) read_names(reader, reader.object(content, "names"), dictionary);
  return dictionary;
}

std::string text_of(const GeneDictionary& dictionary) {
  io::Json tokens = io::Json::object(), medians = tokens, names = tokens;
  // Pushed, not looked up: an ordered object searches all its keys for a new one.
  const auto push = [](io::Json& to, const std::string& key, auto value) {
    to.get_ref<io::Json::object_t&>().push_back({key, value});
  };
  for (std::size_t t = 0; t < dictionary.tokens.size(); ++t) {
    if (dictionary.tokens[t].empty()) continue;
    push(tokens, dictionary.tokens[t], t);
    if (dictionary.medians[t] > 0) push(medians, dictionary.tokens[t], dictionary.medians[t]);
  }
  for (const auto& [name, gene] : std::map(dictionary.names.begin(), dictionary.names.end()))
    push(names, name, gene);
  io::Json content{{"tokens", std::move(tokens)}, {"medians", std::move(medians)}};
  content["names"] = std::move(names);
  return content.dump(1) + "\n";
}

GeneFinder::GeneFinder(const GeneDictionary& dictionary) {
  for (std::int32_t token = 0; token < dictionary.size(); ++token)
    if (dictionary.is_gene(token))
      token_of_.emplace(upper(dictionary.tokens[static_cast<std::size_t>(token)]), token);
  std::vector<std::pair<std::string, std::int32_t>> named;
  for (const auto& [name, gene] : dictionary.names)
    if (const auto known = token_of_.find(upper(gene)); known != token_of_.end())
      named.emplace_back(name, known->second);
  for (const auto& [name, token] : named) token_of_[name] = token;  // an older id leads on
}

std::optional<std::int32_t> GeneFinder::find(std::string_view name) const {
  const std::string wanted = upper(name);
  for (const std::string_view form : {std::string_view(wanted), without_version(wanted)})
    if (const auto known = token_of_.find(std::string(form)); known != token_of_.end())
      return known->second;
  return std::nullopt;
}

}  // namespace cellmill::data
