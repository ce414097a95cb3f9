#include "config/read.h"

#include <catch2/catch.hpp>

#include "sample.h"

using namespace cellmill;
using sample::read;
using sample::refusal;
using Texts = std::vector<std::string>;

CATCH_TEST_CASE("every type is read", "[read]") {
  const auto run = read(R"(
output: runs/a b
data:
  path: "007"
  fields: [cell_type, 5, "yes"]
  chunks: [0, 3]
  loader: {prefetch_chunks: 1e1, order: chunk}
train:
  seed: 18446744073709551615
  rate: 1e-4
  resume: true
  betas:
    - 0.5
    - 0
  rename: {a: b, 1: 2}
)");
  CATCH_CHECK(run.output == "runs/a b");
  CATCH_CHECK(run.data.path == "007");
  CATCH_CHECK(run.data.fields == Texts{"cell_type", "5", "yes"});
  CATCH_CHECK(run.data.chunks == std::vector<std::int64_t>{0, 3});
  CATCH_CHECK(run.data.loader.prefetch_chunks == 10);
  CATCH_CHECK(run.data.loader.order == "chunk");
  CATCH_CHECK(run.data.loader.threads == 1);
  CATCH_CHECK(run.train.seed == 18446744073709551615u);
  CATCH_CHECK(run.train.rate == 1e-4);
  CATCH_CHECK(run.train.resume);
  CATCH_CHECK(run.train.betas == std::vector<double>{0.5, 0});
  CATCH_CHECK(run.train.rename == std::map<std::string, std::string>{{"a", "b"}, {"1", "2"}});
}

CATCH_TEST_CASE("nothing, an empty file and an empty section leave the defaults", "[read]") {
  CATCH_CHECK(read("").train.steps == 100);
  CATCH_CHECK(read("# only a comment\n").train.steps == 100);
  CATCH_CHECK(read("train:\n").train.steps == 100);
}

CATCH_TEST_CASE("later layers win, and every origin is known", "[read]") {
  sample::Run run;
  const config::Layers layers{{{"a.yaml", "train:\n  steps: 5\n  seed: 1\n"},
                               {"b.yaml", "\ntrain: {steps: 6}\ndata:\n  fields: [x]\n"}},
                              {"train.rate=0.5", "data.fields=[y, z]"}};
  const auto origins = config::read(run, layers);
  CATCH_CHECK(run.train.steps == 6);
  CATCH_CHECK(run.train.seed == 1);
  CATCH_CHECK(run.train.rate == 0.5);
  CATCH_CHECK(run.data.fields == Texts{"y", "z"});
  CATCH_CHECK(origins.at("train.steps") == "b.yaml:2");
  CATCH_CHECK(origins.at("train.seed") == "a.yaml:3");
  CATCH_CHECK(origins.at("train.rate") == "--set");
  CATCH_CHECK(origins.at("data.fields") == "--set");
  CATCH_CHECK(origins.at("output") == "default");
}

CATCH_TEST_CASE("a setting of --set is YAML, or a text as it stands", "[read]") {
  CATCH_CHECK(read("", {"data.path=*.npz: #1"}).data.path == "*.npz: #1");
  CATCH_CHECK(read("", {"data.path=\"a b\""}).data.path == "a b");
  CATCH_CHECK(read("data: {path: x}", {"data.path="}).data.path.empty());
  CATCH_CHECK(read("", {"data.path=a=b"}).data.path == "a=b");
  CATCH_CHECK(read("", {"data.fields=[]"}).data.fields.empty());
  CATCH_CHECK(read("", {"data.loader={threads: 3}"}).data.loader.threads == 3);
  CATCH_CHECK(read("", {"train.rename={a: b}"}).train.rename.at("a") == "b");
  CATCH_CHECK(read("", {"train.resume=true"}).train.resume);
}

CATCH_TEST_CASE("an unknown key is shown, with the nearest known one", "[read]") {
  CATCH_CHECK(refusal("data:\n  loader:\n    prefetch_chunk: 4\n") ==
              "run.yaml:3:5: unknown key data.loader.prefetch_chunk\n"
              "        prefetch_chunk: 4\n"
              "        ^\n"
              "  hint: did you mean data.loader.prefetch_chunks?");
  CATCH_CHECK(refusal("data: {pathh: x}\r\n") ==
              "run.yaml:1:8: unknown key data.pathh\n"
              "    data: {pathh: x}\n"
              "           ^\n"
              "  hint: did you mean data.path?");
  CATCH_CHECK(refusal("", {"dota.path=x"}) ==
              "--set dota.path=x: unknown key dota.path\n  hint: did you mean data.path?");
}

CATCH_TEST_CASE("a key at the wrong depth is found elsewhere", "[read]") {
  CATCH_CHECK(refusal("prefetch_chunks: 4\n") ==
              "run.yaml:1:1: unknown key prefetch_chunks\n"
              "    prefetch_chunks: 4\n"
              "    ^\n"
              "  hint: did you mean data.loader.prefetch_chunks?");
  CATCH_CHECK(refusal("", {"train.banana=1"}) ==
              "--set train.banana=1: unknown key train.banana\n"
              "  hint: known: seed, rate, resume, steps, warmup, betas, rename");
  CATCH_CHECK(refusal("", {"train.steps.more=1"}) ==
              "--set train.steps.more=1: unknown key train.steps.more\n"
              "  hint: did you mean train.steps?");
}

CATCH_TEST_CASE("a value of the wrong type says what was expected and found", "[read]") {
  struct Case {
    std::string setting, text;
  };
  const std::vector<Case> cases = {
      {"train.steps=many", "expected a whole number; found many"},
      {"train.steps=1.5", "expected a whole number; found 1.5"},
      {"train.steps=\"5\"",
       "expected a whole number; found the text \"5\"\n  hint: write it without quotes"},
      {"train.steps=99999999999999999999", "expected a whole number; found 99999999999999999999"},
      {"train.steps=[1]", "expected a whole number; found a list"},
      {"train.steps={a: 1}", "expected a whole number; found a map"},
      {"train.steps=~", "expected a whole number; found nothing"},
      {"train.seed=-1", "expected a whole number of at least 0; found -1"},
      {"train.rate=nan", "expected a number; found nan"},
      {"train.rate=0,5", "expected a number; found 0,5"},
      {"train.resume=yes", "expected true or false; found yes\n  hint: write true"},
      {"train.resume=0", "expected true or false; found 0\n  hint: write false"},
      {"data.fields=a", "expected a list of texts; found a\n  hint: write [a]"},
      {"data.fields=~",
       "expected a list of texts; found nothing\n  hint: write [] for an empty "
       "list"},
      {"data.fields=[[a]]", "expected a text; found a list"},
      {"data.chunks=[1, x]", "expected a whole number; found x"},
      {"train.betas={a: b}", "expected a list of numbers; found a map"},
      {"train.rename=[a]", "expected a map of texts; found a list"},
      {"train.rename={a: b, a: c}", "expected each key once; found a twice"},
  };
  for (const Case& c : cases) {
    const std::string key = c.setting.substr(0, c.setting.find('='));
    CATCH_CHECK(refusal("", {c.setting}) == "--set " + c.setting + ": " + key + ": " + c.text);
  }
}

CATCH_TEST_CASE("a value out of range is refused at its place", "[read]") {
  CATCH_CHECK(refusal("train:\n  rate: -0.5\n") ==
              "run.yaml:2:9: train.rate: expected above 0; found -0.5\n"
              "      rate: -0.5\n"
              "            ^");
  CATCH_CHECK(refusal("train:\n  betas: [0.9,\n    1.5]\n") ==
              "run.yaml:3:5: train.betas: expected at least 0 and below 1; found 1.5\n"
              "        1.5]\n"
              "        ^");
  CATCH_CHECK(refusal("", {"data.chunks=[1, 2, -1]"}) ==
              "--set data.chunks=[1, 2, -1]: data.chunks: expected at least 0; found -1");
  CATCH_CHECK(refusal("", {"output="}) == "--set output=: output: expected not empty; found \"\"");
  CATCH_CHECK(refusal("", {"data.loader.order=mixd"}) ==
              "--set data.loader.order=mixd: data.loader.order: expected one of mixed, chunk; "
              "found mixd\n  hint: did you mean mixed?");
}

CATCH_TEST_CASE("a missing value is shown at its key", "[read]") {
  CATCH_CHECK(refusal("train:\n  steps:\n  seed: 1\n") ==
              "run.yaml:2:3: train.steps: expected a whole number; found nothing\n"
              "      steps:\n"
              "      ^");
}

CATCH_TEST_CASE("a section must be a map", "[read]") {
  CATCH_CHECK(
      refusal("train: 5\n") ==
      "run.yaml:1:8: train: expected a map of settings; found 5\n    train: 5\n           ^");
  CATCH_CHECK(refusal("- a\n") ==
              "run.yaml:1:1: expected a map of settings; found [a]\n    - a\n    ^");
}

CATCH_TEST_CASE("a key given twice is an error", "[read]") {
  CATCH_CHECK(refusal("train:\n  steps: 5\n  steps: 6\n") ==
              "run.yaml:3:3: train.steps is given twice in this map\n      steps: 6\n      ^");
  CATCH_CHECK(refusal("train: {}\ntrain: {}\n") ==
              "run.yaml:2:1: train is given twice in this map\n    train: {}\n    ^");
}

CATCH_TEST_CASE("a broken rule is told at the latest field that it names", "[read]") {
  CATCH_CHECK(refusal("train:\n  warmup: 50\n  steps: 10\n") ==
              "run.yaml:3:3: train: warmup (50) must not exceed steps (10)\n"
              "      steps: 10\n"
              "      ^");
  CATCH_CHECK(refusal("train: {steps: 10}\n", {"train.warmup=11"}) ==
              "--set train.warmup=11: train: warmup (11) must not exceed steps (10)");
}

CATCH_TEST_CASE("everything wrong is told at once", "[read]") {
  CATCH_CHECK(refusal("train:\n  rate: fast\n  warmup: 500\nnonsense: 1\n",
                      {"data.loader.threads=0", "huh"}) ==
              "5 problems in the configuration\n"
              "run.yaml:2:9: train.rate: expected a number; found fast\n"
              "      rate: fast\n"
              "            ^\n"
              "run.yaml:4:1: unknown key nonsense\n"
              "    nonsense: 1\n"
              "    ^\n"
              "  hint: known: output, data, train\n"
              "--set data.loader.threads=0: data.loader.threads: expected between 1 and 64; found "
              "0\n"
              "--set huh: expected key=value\n"
              "  hint: for example --set train.steps=100\n"
              "run.yaml:3:3: train: warmup (500) must not exceed steps (100)\n"
              "      warmup: 500\n"
              "      ^");
}

CATCH_TEST_CASE("what is not YAML is shown where it breaks", "[read]") {
  const std::string open = refusal("train: {steps: 5\n");
  CATCH_CHECK(open.starts_with("run.yaml:"));
  CATCH_CHECK(open.find("not YAML: ") != std::string::npos);
  const std::string star = refusal("data:\n  path: *.npz\n");
  CATCH_CHECK(star.starts_with("run.yaml:2:"));
  CATCH_CHECK(star.ends_with("hint: a text that begins with * stands in quotes"));
  CATCH_CHECK(refusal("a: 1\n---\nb: 2\n").find("a second document begins here") !=
              std::string::npos);
}

CATCH_TEST_CASE("a refused value does not get into the options", "[read]") {
  sample::Run run;
  CATCH_CHECK_THROWS_AS(config::read(run, {{{"run.yaml", "train: {steps: 0}"}}, {}}), UsageError);
  CATCH_CHECK(run.train.steps == 100);
}
