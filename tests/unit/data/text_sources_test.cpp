#include <catch2/catch.hpp>
#include <cstdlib>

#include "../../suites/chunk_source_suite.h"
#include "../expect.h"
#include "data/sources/csv_source.h"
#include "data/sources/mtx_source.h"
#include "io/files.h"

using namespace cellmill;
using namespace cellmill::data;
using Catch::Contains;
using Names = std::vector<std::string>;

namespace {

SourceOptions at(const std::string& path, const Names& known = {}, const Names& fields = {}) {
  SourceOptions o;
  o.path = path;
  o.known_genes = known;
  o.fields = fields;
  o.chunk_cells = 2;
  return o;
}

std::string dense(const ChunkSource& source) {
  std::string text;
  for (const auto& info : source.index()) {
    const Chunk chunk = source.load(info.id);
    for (std::int64_t r = 0; r < chunk.rows; ++r) {
      std::vector<float> row(static_cast<std::size_t>(chunk.genes));
      for (auto k = chunk.indptr[r]; k < chunk.indptr[r + 1]; ++k)
        row[chunk.indices[k]] = chunk.values[k];
      for (const float value : row) text += std::to_string(static_cast<int>(value)) + " ";
      text += "| ";
    }
  }
  return text;
}

const char* const kSamplesDown =
    "sample,note,A,B,C,sex\ns1,x,1,0,2,female\ns2,y,0,3,0,\ns3,z,4,0,5,male\n";
const char* const kGenesDown = "gene\ts1\ts2\ts3\nA\t1\t0\t4\nB\t0\t3\t0\nC\t2\t0\t5\n";

}  // namespace

CATCH_TEST_CASE("a table is read the same whichever way it lies") {
  Scratch scratch;
  io::write_text_atomically(scratch / "down.csv", kSamplesDown);
  io::write_text_atomically(scratch / "genes.tsv", kGenesDown);
  const CsvSource samples(at(scratch / "down.csv", {"A", "B", "C", "D"}, {"sex", "tissue"}));
  const CsvSource genes(at(scratch / "genes.tsv", {"B", "C"}));
  CATCH_CHECK(dense(samples) == "1 0 2 | 0 3 0 | 4 0 5 | ");
  CATCH_CHECK(dense(genes) == dense(samples));
  CATCH_CHECK(samples.vocabulary().genes == Names{"A", "B", "C"});
  CATCH_CHECK(genes.vocabulary().genes == Names{"A", "B", "C"});
  CATCH_CHECK(samples.cell_names() == Names{"s1", "s2", "s3"});
  CATCH_CHECK(genes.cell_names() == Names{"s1", "s2", "s3"});
  CATCH_REQUIRE(samples.vocabulary().fields.size() == 1);
  CATCH_CHECK(samples.vocabulary().fields[0] == Field{"sex", {"female", "male"}});
  CATCH_CHECK(samples.load(0).labels == std::vector<std::int32_t>{0, -1});
  check_source(samples);
  check_source(genes);
}

CATCH_TEST_CASE("labels of a table with genes down are rows; R's tables have no corner") {
  Scratch scratch;
  io::write_text_atomically(
      scratch / "r.csv",
      "\"s,1\",\"s2\"\r\n\"A\",1,2\r\n\"sex\",\"male\",NA\r\n\"B\"\"x\",0,3\r\n");
  auto options = at(scratch / "r.csv", {}, {"sex"});
  options.orientation = "genes_by_samples";
  const CsvSource source(options);
  CATCH_CHECK(dense(source) == "1 0 | 2 3 | ");
  CATCH_CHECK(source.cell_names() == Names{"s,1", "s2"});
  CATCH_CHECK(source.vocabulary().genes == Names{"A", "B\"x"});
  CATCH_CHECK(source.load(0).labels == std::vector<std::int32_t>{0, -1});
}

CATCH_TEST_CASE("what is wrong with a table is told with line and column") {
  Scratch scratch;
  const auto told = [&](const std::string& text, SourceOptions options) {
    io::write_text_atomically(options.path, text);
    return error_of([&] {
      CsvSource source(options);
      source.load(0);
    });
  };
  auto options = at(scratch / "t.csv");
  CATCH_CHECK_THAT(told("x,A\ns,1\n", options), Contains("is a row a gene or a sample?") &&
                                                    Contains("orientation genes_by_samples"));
  options.orientation = "samples_by_genes";
  CATCH_CHECK_THAT(told("x,A,B\ns,1,2\nt,1,many\n", options), Contains("line 3, column 'B'") &&
                                                                  Contains("found 'many'") &&
                                                                  Contains("data.fields"));
  CATCH_CHECK_THAT(told("x,A,B\ns,1,2\nt,1\n", options),
                   Contains("line 3") && Contains("expected 3 cells; found 2"));
  CATCH_CHECK_THAT(told("x,A,B\ns,1,-2\n", options), Contains("a negative value"));
  CATCH_CHECK_THAT(told("x,A,B\n", options), Contains("holds no cells"));
  CATCH_CHECK_THAT(told("", options), Contains("is empty"));
  CATCH_CHECK_THAT(told("x,\"A,B\ns,1,2\n", options), Contains("a quoted cell does not end"));
  options.fields = {"sx"};
  CATCH_CHECK_THAT(told("x,A,sex\ns,1,2\n", options), Contains("no such field") && Contains("sex"));
  CATCH_CHECK_THAT(told("x,sx,sx,A\ns,f,m,1\n", options),
                   Contains("a field named twice") && Contains("2 times"));
  options.known_genes = {"Q"};
  options.orientation = "auto";
  CATCH_CHECK_THAT(told("x,A,B\ns,1,2\n", options), Contains("0 of 1 rows, 0 of 2 columns"));
}

CATCH_TEST_CASE("a 10x folder, plain and gzipped, by symbols or ids") {
  Scratch scratch;
  const auto write = [&](const std::string& name, const std::string& text) {
    io::write_text_atomically(scratch / name, text);
  };
  write("matrix.mtx",
        "%%MatrixMarket matrix coordinate integer general\n%made\n3 2 3\n3 1 7\n1 1 2\n2 2 5\n");
  write("genes.tsv", "ENSG1\tA\nENSG2\tB\nENSG3\tA\n");
  write("barcodes.tsv", "AAC-1\nAAG-1\n");
  CATCH_CHECK(is_mtx(scratch.folder.string()));
  const MtxSource symbols(at(scratch.folder.string()));
  CATCH_CHECK(dense(symbols) == "2 0 7 | 0 5 0 | ");
  CATCH_CHECK(symbols.vocabulary().genes == Names{"A", "B", "A-1"});
  CATCH_CHECK(symbols.cell_names() == Names{"AAC-1", "AAG-1"});
  check_source(symbols);
  CATCH_REQUIRE(std::system(("gzip " + (scratch / "matrix.mtx")).c_str()) == 0);
  CATCH_REQUIRE(std::system(("gzip " + (scratch / "barcodes.tsv")).c_str()) == 0);
  const MtxSource ids(at(scratch / "matrix.mtx.gz", {"ENSG2"}));
  CATCH_CHECK(ids.vocabulary().genes == Names{"ENSG1", "ENSG2", "ENSG3"});
  CATCH_CHECK(dense(ids) == dense(symbols));
}

CATCH_TEST_CASE("what is wrong with a 10x folder is told") {
  Scratch scratch;
  const auto told = [&](const std::string& matrix, const std::string& barcodes) {
    io::write_text_atomically(scratch / "matrix.mtx", matrix);
    io::write_text_atomically(scratch / "features.tsv", "ENSG1\tA\n");
    io::write_text_atomically(scratch / "barcodes.tsv", barcodes);
    return error_of([&] { MtxSource source(at(scratch.folder.string())); });
  };
  const std::string head = "%%MatrixMarket matrix coordinate integer general\n";
  CATCH_CHECK_THAT(told(head + "1 2 1\n1 3 5\n", "a\nb\n"),
                   Contains("line 3") && Contains("gene 1 to 1, cell 1 to 2"));
  CATCH_CHECK_THAT(told(head + "1 2 1\n1 2 5\n", "a\n"), Contains("cells") && Contains("1 names"));
  CATCH_CHECK_THAT(told("%%MatrixMarket matrix array real general\n1 2\n", "a\nb\n"),
                   Contains("is no such matrix"));
  CATCH_CHECK_THAT(told(head + "1 2 2\n1 2 5\n", "a\nb\n"), Contains("is no such matrix"));
  CATCH_CHECK_THAT(told(head + "1 2 999999999999\n1 2 5\n", "a\nb\n"),
                   Contains("line 2") && Contains("999999999999 entries"));
  CATCH_CHECK_THAT(told(head + "1 999999999999 1\n1 2 5\n", "a\nb\n"), Contains("2 names"));
  CATCH_CHECK_THAT(told(head + "1 -2 1\n1 2 5\n", "a\nb\n"), Contains("three sizes"));
  CATCH_CHECK_THAT(told(head + "1 2 1\n1 2 5x\n", "a\nb\n"), Contains("'1 2 5x'"));
  CATCH_CHECK_THAT(told(head + "1 2 1\n1 2 5\n1 1 4\n", "a\nb\n"),
                   Contains("line 4") && Contains("the end after 1 entries"));
  io::write_text_atomically(scratch / "matrix.mtx", head + "1 2 1\n1 2 5\n");
  std::filesystem::remove(scratch / "features.tsv");
  CATCH_CHECK_THAT(error_of([&] { MtxSource source(at(scratch.folder.string())); }),
                   Contains("features.tsv") && Contains("no such file"));
}
