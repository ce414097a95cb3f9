#include "infer/ontology.h"

#include <ATen/ATen.h>

#include <catch2/catch.hpp>

#include "../expect.h"
#include "io/files.h"

using namespace cellmill;
using namespace cellmill::infer;
using Catch::Contains;

namespace {

// leukocyte > lymphocyte > {t > {cd4, cd8}, b}; leukocyte > monocyte
const char* const kObo = R"(format-version: 1.2

[Term]
id: CL:1
name: leukocyte

[Term]
id: CL:2
name: lymphocyte
is_a: CL:1 ! leukocyte

[Term]
id: CL:3
name: T cell
synonym: "T lymphocyte" EXACT []
synonym: "thymocyte" RELATED []
is_a: CL:2 ! lymphocyte

[Term]
id: CL:4
name: CD4 T cell
is_a: CL:3

[Term]
id: CL:5
name: CD8 T cell
is_a: CL:3

[Term]
id: CL:6
name: B cell
is_a: CL:2

[Term]
id: CL:7
name: monocyte
is_a: CL:1

[Term]
id: CL:8
name: old cell
is_obsolete: true
)";

PredictedField field(const std::vector<std::vector<double>>& rows) {
  PredictedField f;
  f.name = "cell_type";
  f.words = {"CD4 T cell", "CL:5", "B cell", "monocyte", "odd"};
  std::vector<at::Tensor> all;
  for (const auto& row : rows) {
    all.push_back(at::tensor(row, at::kDouble));
    f.label.push_back(all.back().argmax().item<std::int64_t>());
  }
  f.probabilities = at::stack(all);
  return f;
}

}  // namespace

CATCH_TEST_CASE("a label is rolled up as far as its probability needs, and no further") {
  Scratch scratch;
  io::write_text_atomically(scratch / "cl.obo", kObo);
  const Ontology ontology(scratch / "cl.obo");
  const auto rolled = roll_up(field({{0.9, 0.05, 0.05, 0, 0},
                                     {0.5, 0.4, 0.1, 0, 0},
                                     {0.4, 0.1, 0.38, 0.12, 0},
                                     {0.4, 0, 0.1, 0.38, 0.12},
                                     {0.3, 0.1, 0.1, 0.1, 0.4}}),
                              ontology, 0.85);
  CATCH_CHECK(rolled.term == std::vector<std::string>{"CL:4", "CL:3", "CL:2", "CL:1", ""});
  CATCH_CHECK(rolled.name ==
              std::vector<std::string>{"CD4 T cell", "T cell", "lymphocyte", "leukocyte", ""});
  CATCH_CHECK(rolled.probability[1] == Approx(0.9));
  CATCH_CHECK(rolled.probability[3] == Approx(0.88));
  CATCH_CHECK(rolled.unknown == std::vector<std::string>{"odd"});
}

CATCH_TEST_CASE(
    "terms are found by id, name and exact synonym, not by what is related or obsolete") {
  Scratch scratch;
  io::write_text_atomically(scratch / "cl.obo", kObo);
  const Ontology ontology(scratch / "cl.obo");
  CATCH_CHECK(ontology.find("t LYMPHOCYTE") == "CL:3");
  CATCH_CHECK(ontology.find("cl:3") == "CL:3");
  CATCH_CHECK(!ontology.find("thymocyte"));
  CATCH_CHECK(!ontology.find("old cell"));
}

CATCH_TEST_CASE("an ontology of JSON; what is none is refused") {
  Scratch scratch;
  io::write_text_atomically(scratch / "edges.json", R"({"a": ["b"], "c": ["b"]})");
  const Ontology ontology(scratch / "edges.json");
  CATCH_CHECK(ontology.lineage("a") == std::vector<std::string>{"a", "b"});
  io::write_text_atomically(scratch / "circle.json", R"({"a": ["b"], "b": ["a"]})");
  CATCH_CHECK_THAT(error_of([&] { Ontology(scratch / "circle.json"); }),
                   Contains("65") && Contains("goes round in a circle"));
  io::write_text_atomically(scratch / "list.json", "[1]");
  CATCH_CHECK_THAT(error_of([&] { Ontology(scratch / "list.json"); }),
                   Contains("is no such ontology"));
  CATCH_CHECK_THAT(error_of([&] { Ontology(scratch / "x.owl"); }), Contains("known: .obo"));
}
