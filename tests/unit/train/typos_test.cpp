// Single-edit typos of every key at every depth, of settings of --set, and of values that are one
// of several words: all are refused where they stand, nearly all with the word that was meant.
#include <catch2/catch.hpp>
#include <random>

#include "base/error.h"
#include "base/format.h"
#include "config/read.h"
#include "train/run_options.h"

using namespace cellmill;

namespace {

struct Typo {
  config::Layers layers;
  std::string place, hint;  ///< that the refusal must have, and should have
};

class Typist {
 public:
  explicit Typist(std::uint64_t seed) : random_(seed) {}
  std::size_t below(std::size_t n) { return random_() % n; }

  /// One letter deleted, inserted, replaced, or two swapped; another word than `word`.
  std::string slip(const std::string& word) {
    for (;;) {
      std::string w = word;
      const std::size_t at = below(w.size());
      const auto letter = "abcdefghijklmnopqrstuvwxyz_"[below(27)];
      switch (below(4)) {
        case 0:
          w.erase(at, 1);
          break;
        case 1:
          w.insert(at, 1, letter);
          break;
        case 2:
          w[at] = letter;
          break;
        default:
          if (at + 1 < w.size()) std::swap(w[at], w[at + 1]);
      }
      if (w != word && !w.empty()) return w;
    }
  }

 private:
  std::mt19937_64 random_;
};

std::vector<std::string> parts_of(const std::string& key) {
  std::vector<std::string> parts(1);
  for (const char c : key)
    if (c == '.')
      parts.emplace_back();
    else
      parts.back() += c;
  return parts;
}

std::string joined(const std::vector<std::string>& parts, std::size_t count) {
  return fmt::format("{}", fmt::join(parts.begin(), parts.begin() + count, "."));
}

std::string yaml_of(const std::vector<std::string>& parts, const std::string& value) {
  std::string text, indent;
  for (const std::string& part : parts) {
    text += (text.empty() ? "" : "\n") + indent + part + ":";
    indent += "  ";
  }
  return text + " " + value + "\n";
}

bool known(const config::Schema& schema, const std::string& key) {
  return schema.find_field(key) || schema.find_section(key);
}

Typo typo_in_file(Typist& typist, const config::Schema& schema) {
  for (;;) {
    const auto& field = schema.fields()[typist.below(schema.fields().size())];
    auto parts = parts_of(field.key);
    const std::size_t depth = typist.below(parts.size());
    const std::string meant = joined(parts, depth + 1);
    parts[depth] = typist.slip(parts[depth]);
    if (known(schema, joined(parts, depth + 1))) continue;
    return {{{{"run.yaml", yaml_of(parts, field.default_text)}}, {}},
            fmt::format("run.yaml:{}:{}: unknown key {}", depth + 1, 2 * depth + 1,
                        joined(parts, depth + 1)),
            "did you mean " + meant + "?"};
  }
}

Typo typo_in_setting(Typist& typist, const config::Schema& schema) {
  for (;;) {
    const auto& field = schema.fields()[typist.below(schema.fields().size())];
    auto parts = parts_of(field.key);
    const std::size_t depth = typist.below(parts.size());
    parts[depth] = typist.slip(parts[depth]);
    const auto key = joined(parts, parts.size());
    if (known(schema, key)) continue;
    return {{{}, {key + "=" + field.default_text}},
            "--set " + key + "=" + field.default_text + ": unknown key " + key,
            "did you mean " + field.key + "?"};
  }
}

Typo typo_in_value(Typist& typist, const config::Schema& schema) {
  for (;;) {
    const auto& field = schema.fields()[typist.below(schema.fields().size())];
    auto choices = field.check.choices;
    if (std::holds_alternative<bool*>(field.target)) choices = {"true", "false"};
    if (choices.empty()) continue;
    const auto meant = choices[typist.below(choices.size())], value = typist.slip(meant);
    if (std::find(choices.begin(), choices.end(), value) != choices.end()) continue;
    const auto parts = parts_of(field.key);
    return {{{{"run.yaml", yaml_of(parts, value)}}, {}},
            fmt::format("run.yaml:{}:{}: {}: expected ", parts.size(),
                        2 * (parts.size() - 1) + parts.back().size() + 3, field.key),
            "did you mean " + meant + "?"};
  }
}

}  // namespace

CATCH_TEST_CASE("500 single-edit typos are refused, nearly all with what was meant", "[typos]") {
  using Make = Typo (*)(Typist&, const config::Schema&);
  train::RunOptions options;
  const auto schema = config::Schema::of(options);
  Typist typist(20261121);
  std::string not_meant;
  int tried = 0, refused = 0, meant = 0;
  for (const auto& [make, count] :
       {std::pair<Make, int>{typo_in_file, 300}, {typo_in_setting, 100}, {typo_in_value, 100}}) {
    for (int k = 0; k < count; ++k, ++tried) {
      const Typo typo = make(typist, schema);
      CATCH_INFO(typo.place << " | " << typo.hint);
      train::RunOptions fresh;
      try {
        config::read(fresh, typo.layers);
        CATCH_FAIL_CHECK("accepted");
      } catch (const UsageError& error) {
        ++refused;
        CATCH_CHECK(error.code() == Exit::kConfig);
        CATCH_CHECK_THAT(error.what(), Catch::StartsWith(typo.place));
        if (error.hint() == typo.hint)
          ++meant;
        else
          not_meant += "\n" + typo.place + " | " + error.hint() + " | wanted: " + typo.hint;
      }
    }
  }
  CATCH_INFO(tried << " typos, " << refused << " refused, " << meant << " with what was meant"
                   << not_meant);
  CATCH_CHECK(refused == 500);
  CATCH_CHECK(meant >= 475);
}
