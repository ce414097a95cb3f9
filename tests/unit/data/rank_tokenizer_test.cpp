#include "data/rank_tokenizer.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <random>

#include "base/error.h"
#include "data/chunk.h"
#include "data/rank_order.h"
#include "io/files.h"
#include "io/json.h"

using namespace cellmill;
using namespace cellmill::data;
using io::Json;

namespace {

/// A made-up dictionary: genes G0, G1, ... with these medians, tokens from 4 on.
GeneDictionary dictionary_of(const std::vector<double>& medians) {
  GeneDictionary d;
  d.tokens = {"<pad>", "<mask>", "<cls>", "<eos>"};
  d.medians = {0, 0, 0, 0};
  std::tie(d.cls, d.eos) = std::pair(2, 3);
  for (std::size_t g = 0; g < medians.size(); ++g) {
    d.tokens.push_back("G" + std::to_string(g));
    d.medians.push_back(medians[g]);
  }
  return d;
}

Chunk chunk_of(const std::vector<std::vector<std::pair<int, float>>>& rows) {
  Chunk chunk;
  chunk.indptr = {0};
  for (const auto& row : rows) {
    for (const auto& [column, x] : row) {
      chunk.indices.push_back(column);
      chunk.values.push_back(x);
    }
    chunk.indptr.push_back(static_cast<std::int64_t>(chunk.indices.size()));
    ++chunk.rows;
  }
  return chunk;
}

std::vector<std::vector<std::int32_t>> tokens_of(const RankTokenizer& tokenizer, const Chunk& chunk,
                                                 int threads = 1) {
  Sequences sequences;
  tokenizer.append(chunk.indptr.data(), chunk.indices.data(), chunk.values.data(), chunk.rows,
                   sequences, threads);
  std::vector<std::vector<std::int32_t>> cells;
  for (std::int64_t i = 0; i < sequences.size(); ++i)
    cells.emplace_back(sequences[i].begin(), sequences[i].end());
  return cells;
}

/// The definition, by a stable sort of doubles.
std::vector<std::int32_t> plainly(const Chunk& chunk, std::int64_t row,
                                  const std::vector<std::string>& columns,
                                  const GeneDictionary& dictionary, std::size_t most) {
  const GeneFinder finder(dictionary);
  std::vector<std::pair<std::int32_t, double>> genes;  // by first column
  for (const auto& name : columns)
    if (const auto token = finder.find(name))
      if (std::ranges::find(genes, *token, &decltype(genes)::value_type::first) == genes.end())
        genes.emplace_back(*token, 0);
  double total = 0;
  for (auto k = chunk.indptr[row]; k < chunk.indptr[row + 1]; ++k) {
    total += static_cast<double>(chunk.values[k]);
    if (const auto token = finder.find(columns[chunk.indices[k]]))
      std::ranges::find(genes, *token, &decltype(genes)::value_type::first)->second +=
          static_cast<double>(chunk.values[k]);
  }
  std::erase_if(genes, [](const auto& gene) { return gene.second == 0; });
  for (auto& [token, x] : genes) x = x / total * 10'000 / dictionary.medians[token];
  std::ranges::stable_sort(genes, std::greater{}, [](const auto& gene) { return gene.second; });
  std::vector<std::int32_t> tokens;
  for (const auto& gene : genes) tokens.push_back(gene.first);
  if (tokens.size() > most) tokens.resize(most);
  return tokens;
}

std::vector<std::string> names_of(int genes) {
  std::vector<std::string> names;
  for (int g = 0; g < genes; ++g) names.push_back("G" + std::to_string(g));
  return names;
}

}  // namespace

CATCH_TEST_CASE("committed golden cases of a plain Python statement", "[rank_tokenizer]") {
  const Json cases = Json::parse(io::read_text(TEST_DATA "/tokens/cases.json"));
  CATCH_REQUIRE(cases.size() == 11);
  for (const Json& c : cases) {
    CATCH_INFO(c["name"]);
    Json content = {{"tokens", c["tokens"]}, {"medians", c["medians"]}};
    const bool special = c["special_tokens"];
    content["tokens"]["<pad>"] = 0;
    content["tokens"]["<mask>"] = 1;
    if (special) content["tokens"]["<cls>"] = 2, content["tokens"]["<eos>"] = 3;
    std::vector<std::vector<std::pair<int, float>>> rows;
    for (const Json& cell : c["cells"]) {
      rows.emplace_back();
      for (std::size_t i = 0; i < cell[0].size(); ++i)
        rows.back().emplace_back(cell[0][i].get<int>(), cell[1][i].get<float>());
    }
    const RankTokenizer tokenizer(c["columns"], parse_gene_dictionary(content.dump(), "case"),
                                  {c["max_length"], special});
    CATCH_CHECK(tokens_of(tokenizer, chunk_of(rows)) ==
                c["expected"].get<std::vector<std::vector<std::int32_t>>>());
  }
}

CATCH_TEST_CASE("golden cases of another program, where they are", "[rank_tokenizer]") {
  const auto path = std::filesystem::path(TEST_DATA).parent_path().parent_path().parent_path() /
                    "shared/golden/rank_encoder/tokenize.json";
  if (!std::filesystem::exists(path)) return;
  const Json content = Json::parse(io::read_text(path));
  for (const Json& c : content["cases"]) {
    CATCH_INFO(c["name"]);
    GeneDictionary d = dictionary_of({});
    d.tokens.resize(64);
    d.medians.resize(64);
    std::vector<std::string> columns;
    for (std::size_t g = 0; g < c["tokens"].size(); ++g) {
      columns.push_back("unknown " + std::to_string(g));
      if (c["tokens"][g].is_null()) continue;
      const auto token = c["tokens"][g].get<std::size_t>();
      columns[g] = d.tokens[token] = "G" + std::to_string(token);
      d.medians[token] = c["medians"][g];
    }
    std::vector<std::vector<std::pair<int, float>>> rows;
    for (std::size_t r = 0; r + 1 < c["indptr"].size(); ++r) {
      rows.emplace_back();
      for (auto k = c["indptr"][r].get<std::size_t>(); k < c["indptr"][r + 1].get<std::size_t>();
           ++k)
        rows.back().emplace_back(c["indices"][k].get<int>(), c["data"][k].get<float>());
      std::ranges::sort(rows.back());  // as a source promises
    }
    const RankTokenizer tokenizer(columns, d, {c["max_len"], !c["cls"].is_null()});
    CATCH_CHECK(tokens_of(tokenizer, chunk_of(rows)) ==
                c["expected"].get<std::vector<std::vector<std::int32_t>>>());
  }
}

CATCH_TEST_CASE("random cells equal the plain statement, whatever the threads",
                "[rank_tokenizer]") {
  std::mt19937 random(5);
  for (const bool shared : {false, true})
    for (const bool ties : {false, true})
      for (const int genes : {3, 40, 700}) {
        std::vector<double> medians;
        for (int g = 0; g < genes; ++g)
          medians.push_back(ties ? 1 + static_cast<double>(random() % 3)
                                 : 0.1 + static_cast<double>(random() % 100'000) / 1000);
        const GeneDictionary d = dictionary_of(medians);
        std::vector<std::string> columns = names_of(genes + genes / 4);  // the last are unknown
        std::ranges::shuffle(columns, random);
        if (shared)
          for (int g = 0; g < genes / 2; ++g) columns[random() % columns.size()] = "g1";
        std::vector<std::vector<std::pair<int, float>>> rows(40);
        for (std::size_t r = 1; r < rows.size(); ++r)
          for (std::size_t c = 0; c < columns.size(); ++c)
            if (random() % rows.size() < r)
              rows[r].emplace_back(c, static_cast<float>(random() % (r % 2 ? 5 : 1'000'000)));
        const Chunk chunk = chunk_of(rows);
        for (const std::int64_t most : {1, 17, 2048}) {
          const RankTokenizer tokenizer(columns, d, {most, false});
          std::vector<std::vector<std::int32_t>> expected;
          for (std::int64_t r = 0; r < chunk.rows; ++r)
            expected.push_back(plainly(chunk, r, columns, d, static_cast<std::size_t>(most)));
          CATCH_CHECK(tokens_of(tokenizer, chunk) == expected);
          CATCH_CHECK(tokens_of(tokenizer, chunk, 7) == expected);
        }
      }
}

CATCH_TEST_CASE("the order is that of doubles for any values", "[rank_order]") {
  std::mt19937_64 random(7);
  RankOrder order;
  for (const auto draw :
       {+[](std::mt19937_64& r) { return 1 + 1e-12 * static_cast<double>(r() % 99); },
        +[](std::mt19937_64& r) { return std::ldexp(1.0, static_cast<int>(r() % 2000) - 1000); },
        +[](std::mt19937_64& r) { return static_cast<double>(r() % 4); },
        +[](std::mt19937_64&) { return 3.0; },
        +[](std::mt19937_64& r) { return std::exp(static_cast<double>(r() % 100'000) / 1e4); }})
    for (const int count : {0, 1, 2, 63, 1000, 20'000})
      for (const std::int64_t most : {1, 50, 2048, 100'000}) {
        std::vector<double> values;
        std::vector<std::int32_t> ties(count), expected;
        for (int i = 0; i < count; ++i) values.push_back(draw(random));
        std::iota(ties.rbegin(), ties.rend(), 0);
        for (int i = count; i-- > 0;)
          if (values[i] > 0) expected.push_back(i);
        std::ranges::stable_sort(expected, [&](int a, int b) { return values[a] > values[b]; });
        if (std::ssize(expected) > most) expected.resize(most);
        std::vector<std::int32_t> found;
        for (const auto entry : order.sort(values, ties.data(), most))
          found.push_back(static_cast<std::int32_t>(RankOrder::index(entry)));
        CATCH_CHECK(found == expected);
      }
}

CATCH_TEST_CASE("columns are counted against the dictionary", "[rank_tokenizer]") {
  const GeneDictionary d = dictionary_of({1, 1, 1});
  const RankMatch match = RankTokenizer({"x", "G0", "g0", "G2", "y", "G0"}, d, {}).match();
  CATCH_CHECK(std::tuple(match.columns, match.found, match.summed) == std::tuple(6, 4, 3));
}

CATCH_TEST_CASE("ranks are taken as they are", "[rank_tokenizer]") {
  const GeneDictionary d = dictionary_of({100, 1, 1});
  const Chunk chunk = chunk_of({{{0, 3}, {1, 1}, {2, 2}}, {{0, 1}, {2, 2}}, {}});
  using Cells = std::vector<std::vector<std::int32_t>>;
  CATCH_CHECK(tokens_of(RankTokenizer(names_of(3), d, {}, true), chunk) ==
              Cells{{4, 6, 5}, {6, 4}, {}});
  CATCH_CHECK(tokens_of(RankTokenizer(names_of(3), d, {4, true}, true), chunk) ==
              Cells{{2, 4, 6, 3}, {2, 6, 4, 3}, {2, 3}});
}

CATCH_TEST_CASE("what cannot be tokenized is refused", "[rank_tokenizer]") {
  GeneDictionary d = dictionary_of({1});
  CATCH_CHECK_THROWS_WITH(RankTokenizer({"A", "B"}, d, {}),
                          "no column is a gene of the dictionary; expected genes as the dictionary "
                          "has them (1 genes); found 2 columns, the first 'A'");
  CATCH_CHECK_THROWS_WITH(RankTokenizer({"G0"}, d, {2, true}), "2 tokens of a cell hold no gene");
  CATCH_CHECK_THROWS_WITH(RankTokenizer({"G0"}, d, {0, false}), "0 tokens of a cell hold no gene");
  d.cls = -1;
  CATCH_CHECK_THROWS_WITH(RankTokenizer({"G0"}, d, {9, true}),
                          "the gene dictionary has no <cls> and <eos>");
}
