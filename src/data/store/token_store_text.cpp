#include "base/format.h"
#include "data/store/token_store.h"
#include "io/json.h"

namespace cellmill::data {

std::string describe(const TokenStore& store) {
  const TokenFacts& facts = store.facts();
  const auto cells = static_cast<double>(std::max<std::int64_t>(store.cells(), 1));
  std::string text = fmt::format(
      "{}: a token store made of {}\n  cells      {}\n  tokens     {}, {:.1f} a cell, {} at "
      "most{}\n"
      "  dictionary {} tokens, {} names\n",
      store.path().string(), facts.origin, store.cells(), store.tokens(),
      static_cast<double>(store.tokens()) / cells, facts.options.max_length,
      facts.options.special_tokens ? ", <cls> and <eos> among them" : "", facts.dictionary.size(),
      facts.dictionary.names.size());
  for (const Field& field : facts.fields)
    text += fmt::format("  field      {}: {} values\n", field.name, field.categories.size());
  return text;
}

std::string describe_json(const TokenStore& store) {
  const TokenFacts& facts = store.facts();
  io::Json json{{"path", store.path().string()},
                {"origin", facts.origin},
                {"cells", store.cells()},
                {"tokens", store.tokens()},
                {"max_length", facts.options.max_length},
                {"special_tokens", facts.options.special_tokens},
                {"dictionary_tokens", facts.dictionary.size()},
                {"names", facts.dictionary.names.size()}};
  json["fields"] = io::Json::object();
  for (const Field& field : facts.fields) json["fields"][field.name] = field.categories;
  return json.dump(1) + "\n";
}

}  // namespace cellmill::data
