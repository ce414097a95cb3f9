#include "data/sources/npz_source.h"

#include <catch2/catch.hpp>
#include <functional>

#include "../../suites/chunk_source_suite.h"
#include "../expect.h"
#include "base/format.h"
#include "data/metadata_command.h"
#include "data/sources/synthetic_source.h"
#include "io/block_digests.h"
#include "io/digest.h"
#include "io/files.h"
#include "io/npz.h"
#include "io/sealed.h"

using namespace cellmill;
using namespace cellmill::data;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

constexpr const char* kVocabulary =
    R"({"age": {}, "cell_type": {"cell_type_0": 0, "cell_type_1": 1, "cell_type_2": 2},)"
    R"( "tissue": {"tissue_0": 0, "tissue_4": 4, "tissue_1": 1, "tissue_3": 3, "tissue_2": 2}})";
constexpr const char* kSpecs =
    R"({"age": {"cardinality": 40, "using": false, "kind": "numeric"},)"
    R"( "cell_type": {"cardinality": 3, "using": true, "kind": "categorical"},)"
    R"( "tissue": {"cardinality": 5, "using": false, "kind": "categorical"}})";

/// A data set on disk, of synthetic cells, as tools/preprocess_metadata leaves it.
struct Folder {
  Scratch scratch;
  SyntheticSource cells;
  std::vector<std::int64_t> numbers = {9, 10, 11, 101};
  fs::path preproc = scratch.folder / "preproc";

  static SourceOptions planted() {
    SourceOptions options;
    options.synthetic_cells = 45;
    options.synthetic_genes = 30;
    options.chunk_cells = 12;
    options.synthetic_missing = 0.2;
    return options;
  }
  Folder() : cells(planted()) {
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      const Chunk chunk = cells.load(static_cast<std::int64_t>(i));
      io::write_csr(expression(i),
                    {chunk.rows, chunk.genes, chunk.indptr, chunk.indices, chunk.values}, i % 2);
    }
    std::string genes;
    for (const auto& gene : cells.vocabulary().genes) genes += gene + "\tENSG\r\n";
    write("genes.txt", genes);
    fs::create_directories(preproc);
    write("preproc/metadata_vocab.json", kVocabulary);
    write("preproc/metadata_field_specs.json", kSpecs);
    write_codes();
  }
  std::string expression(std::size_t i) const {
    return scratch / fmt::format("human_counts_{}.npz", numbers[i]);
  }
  std::string codes() const { return (preproc / "labels.h5").string(); }
  void write(const std::string& name, const std::string& text) const {
    io::write_text_atomically(scratch / name, text);
  }
  void write_codes(std::int64_t rows_missing_in_10 = 0, const std::string& vocabulary = kVocabulary,
                   const std::string& format = "cellmill-labels-1", bool skip_101 = false) const {
    io::H5File file = io::H5File::create(codes());
    file.set_attribute("/", "format", format);
    file.set_attribute("/", "vocabulary_digest", io::digest(vocabulary));
    file.write_strings("/fields", {"cell_type", "tissue"});
    std::vector<std::int64_t> rows, listed;
    std::vector<std::string> sources;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      if (skip_101 && numbers[i] == 101) continue;
      auto labels = cells.load(static_cast<std::int64_t>(i)).labels;
      if (numbers[i] == 10) labels.resize(labels.size() - 2 * rows_missing_in_10);
      rows.push_back(static_cast<std::int64_t>(labels.size()) / 2);
      listed.push_back(numbers[i]);
      sources.push_back(fmt::format("human_metadata_{}.pkl", numbers[i]));
      file.write<std::int32_t>(fmt::format("/codes/{}", numbers[i]), labels, {rows.back(), 2});
    }
    const auto n = static_cast<std::int64_t>(rows.size());
    file.write<std::int64_t>("/chunks/number", listed, {n});
    file.write<std::int64_t>("/chunks/rows", rows, {n});
    file.write_strings("/chunks/source", sources);
    file.write_strings("/chunks/source_digest", sources);
    file.close();
  }
  SourceOptions options() const {
    SourceOptions o;
    o.path = scratch.folder.string();
    return o;
  }
  std::string opening(const std::function<void(SourceOptions&)>& change = [](auto&) {}) const {
    auto o = options();
    change(o);
    return error_of([&] { open_source(o); });
  }
};

}  // namespace

CATCH_TEST_CASE("a folder of npz chunks keeps the promises of a source", "[npz]") {
  const Folder folder;
  check_source(*open_source(folder.options()));
}

CATCH_TEST_CASE("chunks come by number with the codes of that number", "[npz]") {
  const Folder folder;
  auto options = folder.options();
  options.fields = {"tissue", "cell_type"};
  const NpzSource source(options);
  CATCH_REQUIRE(source.index().size() == 4);
  CATCH_CHECK(source.vocabulary().genes == folder.cells.vocabulary().genes);
  CATCH_CHECK(source.vocabulary().fields[0] == folder.cells.vocabulary().fields[1]);
  for (std::size_t i = 0; i < 4; ++i) {
    const Chunk expected = folder.cells.load(static_cast<std::int64_t>(i));
    const Chunk chunk = source.load(static_cast<std::int64_t>(i));
    CATCH_CHECK(source.index()[i].name == folder.expression(i));
    CATCH_CHECK(chunk.values == expected.values);
    CATCH_CHECK(chunk.indices == expected.indices);
    for (std::size_t r = 0; r < expected.labels.size(); r += 2) {
      CATCH_CHECK(chunk.labels[r] == expected.labels[r + 1]);
      CATCH_CHECK(chunk.labels[r + 1] == expected.labels[r]);
    }
  }
}

CATCH_TEST_CASE("without `fields` those marked as using are taken", "[npz]") {
  const Folder folder;
  const NpzSource source(folder.options());
  CATCH_REQUIRE(source.vocabulary().fields.size() == 1);
  CATCH_CHECK(source.vocabulary().fields[0].name == "cell_type");
  folder.write("preproc/metadata_field_specs.json", "{}");
  CATCH_CHECK_THAT(folder.opening(),
                   Contains("metadata_field_specs.json: no field is marked as conditioning (using)"
                            "\n  hint: name them in `fields`; there are cell_type, tissue"));
}

CATCH_TEST_CASE("a single file and a pattern select chunks", "[npz]") {
  const Folder folder;
  auto options = folder.options();
  options.pattern = "*_1*.npz";
  CATCH_CHECK(NpzSource(options).index().size() == 3);
  options.path = folder.expression(3);
  const NpzSource one(options);
  CATCH_REQUIRE(one.index().size() == 1);
  CATCH_CHECK(one.index()[0].rows == 9);
}

CATCH_TEST_CASE("fields that are not there or have no categories are refused", "[npz]") {
  const Folder folder;
  const auto asking = [&](const std::string& name) {
    return folder.opening([&](SourceOptions& o) { o.fields = {name}; });
  };
  CATCH_CHECK_THAT(asking("cel_type"), Contains("metadata_vocab.json: no field 'cel_type' with "
                                                "categories\n  hint: did you mean cell_type?"));
  CATCH_CHECK_THAT(asking("age"), Contains("no field 'age' with categories"));
}

CATCH_TEST_CASE("a gene that is named twice is refused", "[npz]") {
  const Folder folder;
  std::string genes;
  for (int i = 0; i < 30; ++i) genes += i == 17 ? "g3\n" : "g" + std::to_string(i) + "\n";
  folder.write("genes.txt", genes);
  CATCH_CHECK_THAT(
      folder.opening(),
      Contains("65 " + folder.scratch.folder.string() +
               ": gene 17: a gene is named twice; expected distinct names; found "
               "'g3', which gene 3 has too\n  hint: anndata: a.var_names_make_unique"));
}

CATCH_TEST_CASE("expression and codes that do not fit are refused", "[npz]") {
  const Folder folder;
  folder.write_codes(1);
  CATCH_CHECK_THAT(folder.opening(),
                   Contains("65 " + folder.codes() +
                            ": chunk 10: expression and metadata differ in length; expected 12 "
                            "rows, as " +
                            folder.expression(1) + "; found 11 rows, from human_metadata_10.pkl"));
  folder.write_codes(0, kVocabulary, "cellmill-labels-1", true);
  CATCH_CHECK_THAT(folder.opening(),
                   Contains("/chunks/number: expression without metadata; expected 101, for " +
                            folder.expression(3) + "; found no such chunk"));
  folder.write_codes(0, kVocabulary, "labels-0");
  CATCH_CHECK_THAT(folder.opening(), Contains("attribute format: not a file of label codes; "
                                              "expected cellmill-labels-1; found labels-0"));
  folder.write_codes(0, "{}");
  CATCH_CHECK_THAT(
      folder.opening(),
      Contains(fmt::format("metadata_vocab.json: bytes 0 to {}: not the vocabulary that "
                           "labels.h5 was made with; expected digest ",
                           std::string_view(kVocabulary).size() - 1)) &&
          Contains("hint: run again: tools/preprocess_metadata --data-dir " +
                   folder.scratch.folder.string() +
                   " --pattern 'human_metadata_*.pkl' --include FIELD,FIELD"));
}

CATCH_TEST_CASE("label codes are compared with their digests, where there are some") {
  const Folder folder;
  const auto digests = io::digest_blocks(folder.codes());
  const std::string sealed = io::sealed_json(
      fmt::format(R"({{"bytes":{},"blocks":["{}"]}})", digests.bytes, digests.blocks.at(0)));
  folder.write("preproc/labels.digests.json", sealed);
  CATCH_CHECK(folder.opening() == "no error");
  folder.write("preproc/labels.digests.json", "?" + sealed.substr(1));
  CATCH_CHECK_THAT(folder.opening(), Contains("labels.digests.json: bytes 0 to ") &&
                                         Contains("is damaged: its digest differs"));
  folder.write("preproc/labels.digests.json", sealed);
  std::string bytes = io::read_text(folder.codes());
  bytes[bytes.size() / 2] ^= 1;
  folder.write("preproc/labels.h5", bytes);
  CATCH_CHECK_THAT(folder.opening(),
                   Contains(fmt::format("labels.h5: bytes 0 to {}: is damaged", bytes.size() - 1)));
}

CATCH_TEST_CASE("codes out of range and vocabularies with gaps are refused", "[npz]") {
  const Folder folder;
  const std::string gap = R"({"cell_type": {"a": 0, "b": 2}})";
  folder.write("preproc/metadata_vocab.json", gap);
  folder.write_codes(0, gap);
  CATCH_CHECK_THAT(folder.opening(), Contains("field 'cell_type', category 'b': a code out of "
                                              "order; expected each of 0 to 1 once; found 2"));
  const std::string narrow = R"({"cell_type": {"a": 0}})";
  folder.write("preproc/metadata_vocab.json", narrow);
  folder.write_codes(0, narrow);
  CATCH_CHECK_THAT(error_of([&] {
                     const NpzSource source(folder.options());
                     for (const auto& info : source.index()) source.load(info.id);
                   }),
                   Contains("field 'cell_type': a code out of range; expected -1 to 0; found "));
  folder.write("preproc/metadata_vocab.json", "{");
  folder.write_codes(0, "{");
  CATCH_CHECK_THAT(folder.opening(), Contains("metadata_vocab.json: not JSON"));
}

CATCH_TEST_CASE("genes must be as many as columns", "[npz]") {
  const Folder folder;
  folder.write("genes.txt", "A\nB\n");
  CATCH_CHECK_THAT(folder.opening(),
                   Contains("human_counts_9.npz: shape: columns and gene names differ in number; "
                            "expected 2 columns, as ") &&
                       Contains("genes.txt names; found 30 columns"));
  fs::remove(folder.scratch / "genes.txt");
  CATCH_CHECK_THAT(folder.opening(),
                   Contains("66 ") && Contains("genes.txt: no file with the names of the genes"));
}

CATCH_TEST_CASE("files are told apart by their numbers", "[npz]") {
  CATCH_CHECK(number_in_name("/data/7/human_counts_12.npz") == 12);
  CATCH_CHECK(number_in_name("3m_human_chunk_3.npz") == 3);
  CATCH_CHECK(number_in_name("chunk_000.npz") == 0);
  CATCH_CHECK(number_in_name("chunk_12_log.npz") == 12);
  CATCH_CHECK_THAT(error_of([] { number_in_name("cells.npz"); }),
                   Contains("cells.npz: file name: no number to pair expression and metadata by"));
  const Folder folder;
  fs::copy(folder.expression(0), folder.scratch / "mouse_counts_009.npz");
  CATCH_CHECK_THAT(folder.opening(),
                   Contains("a number is taken; expected one file of each number"));
  CATCH_CHECK_THAT(folder.opening([](SourceOptions& o) { o.pattern = "*.csr"; }),
                   Contains("66 ") && Contains("no expression files; expected files named *.csr"));
}

CATCH_TEST_CASE("metadata that are not preprocessed are answered with the command", "[npz]") {
  const Folder folder;
  fs::remove_all(folder.preproc);
  const std::string dir = folder.scratch.folder.string();
  CATCH_CHECK_THAT(folder.opening(), Contains("66 " + dir + "/preproc: no label codes"));
  for (const char* name : {"human_metadata_2.pkl", "human_metadata_10.pkl"})
    folder.write(name, "x");
  const std::string command = "tools/preprocess_metadata --data-dir " + dir +
                              " --pattern 'human_metadata_*.pkl' --include ";
  CATCH_CHECK(folder.opening([](SourceOptions& o) {
    o.fields = {"cell_type", "sex"};
  }) == "65 " + dir + "/preproc: no label codes; expected labels.h5; found metadata only as " +
                  dir + "/human_metadata_10.pkl\n  hint: make them: " + command + "cell_type,sex");
  CATCH_CHECK(folder.opening([&](SourceOptions& o) { o.metadata = dir; }) ==
              "65 " + dir + ": no label codes; expected labels.h5; found metadata only as " + dir +
                  "/human_metadata_10.pkl\n  hint: make them: " + command +
                  "FIELD,FIELD --save-dir " + dir);
  const std::string pickle = dir + "/human_metadata_2.pkl";
  const std::string refusal = "65 " + pickle +
                              ": a pickle, which this program never opens\n  hint: make label "
                              "codes of it: " +
                              command + "FIELD,FIELD";
  CATCH_CHECK(folder.opening([&](SourceOptions& o) { o.metadata = pickle; }) == refusal);
  CATCH_CHECK(folder.opening([&](SourceOptions& o) { o.path = pickle; }) == refusal);
  CATCH_CHECK(folder.opening([](SourceOptions& o) { o.metadata = "none"; }) == "no error");
}

CATCH_TEST_CASE("a spoilt chunk is refused when it is loaded", "[npz]") {
  const Folder folder;
  Chunk chunk = folder.cells.load(1);
  chunk.values[3] = -2;
  io::write_csr(folder.expression(1),
                {chunk.rows, chunk.genes, chunk.indptr, chunk.indices, chunk.values}, true);
  const NpzSource source(folder.options());
  CATCH_CHECK_THAT(error_of([&] { source.load(1); }),
                   Contains(folder.expression(1) + ": row ") && Contains("a negative value"));
  fs::resize_file(folder.expression(2), 600);
  CATCH_CHECK_THAT(error_of([&] { source.load(2); }), Contains(folder.expression(2)));
  const Chunk other = folder.cells.load(3);
  io::write_csr(folder.expression(0),
                {other.rows, other.genes, other.indptr, other.indices, other.values}, true);
  CATCH_CHECK_THAT(
      error_of([&] { source.load(0); }),
      Contains("the file changed since it was opened; expected 12 x 30; found 9 x 30"));
}
