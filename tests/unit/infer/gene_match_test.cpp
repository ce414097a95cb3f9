#include "infer/gene_match.h"

#include <catch2/catch.hpp>

#include "base/error.h"

namespace cellmill::infer {

CATCH_TEST_CASE("genes are matched by name in any order") {
  const GeneMatch m = match_genes({"A", "B", "C", "D"}, {"C", "X", "A", "C", "D"});
  CATCH_CHECK(m.column == std::vector<std::int32_t>{2, -1, 0, -1, 3});
  CATCH_CHECK(m.missing == std::vector<std::string>{"B"});
  CATCH_CHECK(m.overlap() == Approx(0.75));
  CATCH_CHECK(m.text() ==
              "3 of the model's 4 genes found; missing, counted as 0: B; 1 columns that the model "
              "does not know left out; 1 repeated names left out");
}

CATCH_TEST_CASE("too small an overlap is refused with both sides") {
  const std::vector<std::string> model{"TP53", "EGFR", "MYC", "KRAS"}, input{"ENSG01", "MYC"};
  const GeneMatch m = match_genes(model, input);
  require_overlap(m, 0.25, "cells.h5ad", model, input);
  try {
    require_overlap(m, 0.5, "cells.h5ad", model, input);
    CATCH_FAIL("was not refused");
  } catch (const DataError& e) {
    CATCH_CHECK(e.code() == Exit::kData);
    CATCH_CHECK(std::string(e.what()) ==
                "cells.h5ad: gene names: too few genes in common with the model; expected at least "
                "50 % of the model's 4 genes, such as TP53, EGFR, MYC, KRAS; found 1 of them (25.0 "
                "%), among 2 names such as ENSG01, MYC");
    CATCH_CHECK(e.hint().find("--min-overlap") != std::string::npos);
  }
}

}  // namespace cellmill::infer
