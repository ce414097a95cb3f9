#include "data/store/tokenize.h"

#include <algorithm>

#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/stopwatch.h"
#include "data/expression.h"
#include "data/in_order.h"
#include "data/metadata_command.h"
#include "data/sources/h5ad_obs.h"
#include "data/store/token_store.h"
#include "io/files.h"

namespace cellmill::data {

namespace fs = std::filesystem;

namespace {

constexpr const char* kFilter = "filter_pass";

/// With the labels that there are, where none are named.
SourceOptions with_labels(SourceOptions options) {
  options.takes_counts = options.labels_optional = true;
  if (options.fields.empty() && options.metadata.empty() && reads_h5ad(options) &&
      fs::exists(options.path)) {
    options.fields = likely_fields(io::H5File::open(options.path));
    std::erase(options.fields, kFilter);
  }
  return options;
}

std::vector<std::string> gene_names(const SourceOptions& input, const ChunkSource& source,
                                    const std::string& column) {
  if (column.empty()) return source.vocabulary().genes;
  if (!reads_h5ad(input))
    throw UsageError("--gene-column names a column of an .h5ad, and " + input.path + " is none");
  return read_column(io::H5File::open(input.path), input.layer == "raw" ? "/raw/var" : "/var",
                     column);
}

RankTokenizer make_tokenizer(const SourceOptions& input, const ChunkSource& source,
                             const GeneDictionary& dictionary, const TokenizeOptions& options) {
  const auto names = gene_names(input, source, options.gene_column);
  try {
    return {names, dictionary, options.ranks, source.vocabulary().ranked};
  } catch (const DataError& error) {
    throw DataError({input.path, "genes", {}, {}}, error.what(),
                    error.hint() + (reads_h5ad(input) && options.gene_column.empty()
                                        ? "; a column of var that holds the ids is named by "
                                          "--gene-column"
                                        : ""));
  }
}

/// One a cell; empty: all are kept.
std::vector<bool> kept_cells(const SourceOptions& input, const ChunkSource& source) {
  std::vector<bool> kept;
  if (!reads_h5ad(input)) return kept;
  const auto file = io::H5File::open(input.path);
  if (!file.exists(std::string("/obs/") + kFilter)) return kept;
  for (const std::string& text : read_column(file, "/obs", kFilter))
    kept.push_back(text == "1" || text == "1.0" || text == "True");
  if (std::ssize(kept) != source.cells())
    throw DataError({input.path, std::string("/obs/") + kFilter,
                     fmt::format("{} values", source.cells()), fmt::format("{}", kept.size())},
                    "another length than the cells");
  return kept;
}

Chunk only(const Chunk& chunk, const std::vector<bool>& kept, std::int64_t first) {
  Chunk some{.genes = chunk.genes};
  some.indptr = {0};
  for (std::int64_t row = 0; row < chunk.rows; ++row)
    if (kept[static_cast<std::size_t>(first + row)]) some.append(chunk, row, row + 1);
  return some;
}

/// What one thread made of one piece.
struct Made {
  Sequences sequences;
  std::vector<std::int32_t> labels;
  std::vector<std::string> names;
  std::int64_t read = 0, cut = 0;
};

class Job {
 public:
  Job(const SourceOptions& input, const TokenizeOptions& options)
      : input_(with_labels(input)),
        options_(options),
        source_(open_source(input_)),
        facts_{
            parse_gene_dictionary(io::read_text(options.dictionary), options.dictionary.string()),
            options.ranks, source_->vocabulary().fields, fs::path(input.path).filename().string()},
        tokenizer_(make_tokenizer(input_, *source_, facts_.dictionary, options)),
        names_(source_->cell_names()) {
    if (!options.all_cells) kept_ = kept_cells(input_, *source_);
    if (source_->cells() == 0)
      throw DataError({input.path, {}, "cells", "none"}, "there is nothing to tokenize");
  }

  TokenizeReport run(TokenStoreWriter& writer) const {
    const auto pieces = pieces_of(*source_);
    TokenizeReport report{.match = tokenizer_.match()};
    Progress progress("tokenizing", source_->cells(), "cells");
    std::int64_t done = 0;
    const std::int64_t bare = options_.ranks.special_tokens ? 2 : 0;
    in_order(
        0, std::ssize(pieces), threads_or_cores(options_.threads),
        [&](std::int64_t i) { return make(pieces[static_cast<std::size_t>(i)]); },
        [&](const Made& made) {
          writer.add(made.sequences, made.labels, made.names);
          for (std::int64_t c = 0; c < made.sequences.size(); ++c)
            report.empty += made.sequences.length(c) == bare;
          report.cut += made.cut;
          report.left_out += made.read - made.sequences.size();
          progress.update(done += made.read);
        });
    progress.finish();
    report.cells = writer.cells();
    report.tokens = writer.tokens();
    return report;
  }
  const TokenFacts& facts() const { return facts_; }

 private:
  Made make(const Piece& piece) const {
    const std::int64_t first =
        source_->index()[static_cast<std::size_t>(piece.chunk)].first_cell + piece.begin;
    Chunk chunk;
    source_->read(piece.chunk, piece.begin, piece.end, chunk);
    Made made;
    made.read = chunk.rows;
    if (!options_.allow_fractions)
      refuse_fractions(chunk, input_.path, first, source_->vocabulary().genes);
    for (std::int64_t cell = first; cell < first + made.read && !names_.empty(); ++cell)
      if (kept_.empty() || kept_[static_cast<std::size_t>(cell)])
        made.names.push_back(names_[static_cast<std::size_t>(cell)]);
    if (!kept_.empty()) chunk = only(chunk, kept_, first);
    made.cut = tokenizer_.append(chunk.indptr.data(), chunk.indices.data(), chunk.values.data(),
                                 chunk.rows, made.sequences);
    made.labels = std::move(chunk.labels);
    return made;
  }

  SourceOptions input_;
  TokenizeOptions options_;
  std::unique_ptr<ChunkSource> source_;
  TokenFacts facts_;
  RankTokenizer tokenizer_;
  std::vector<std::string> names_;
  std::vector<bool> kept_;
};

void check_output(const fs::path& output) {
  if (!is_token_store(output.string()))
    throw UsageError(output.string() + " is no name for a token store",
                     "name a file that ends in .h5");
  if (fs::exists(output)) throw UsageError(output.string() + " is there already");
}

}  // namespace

TokenizeReport tokenize(const SourceOptions& input, const TokenizeOptions& options) {
  const Stopwatch watch;
  check_output(options.output);
  const Job job(input, options);
  TokenizeReport report;
  io::publish_file(options.output, [&](const fs::path& temporary) {
    TokenStoreWriter writer(temporary, job.facts());
    report = job.run(writer);
    if (report.cells == 0)
      throw DataError({input.path, std::string("/obs/") + kFilter, "1 for some cells", "none"},
                      "no cell passes the filter", "--all-cells takes them nevertheless");
    writer.finish();
  });
  report.seconds = watch.seconds();
  return report;
}

std::string text_of(const TokenizeReport& r) {
  const auto share = [&](std::int64_t cells) {
    return fmt::format("{:.1f} %", 100 * static_cast<double>(cells) / static_cast<double>(r.cells));
  };
  std::string text =
      fmt::format("{} of {} columns are genes of the dictionary", r.match.found, r.match.columns);
  if (r.match.summed > 0)
    text += fmt::format(", {} of them summed with others of the same gene", r.match.summed);
  text +=
      fmt::format("\n{} cells, {} tokens, {:.1f} a cell; {} cells cut ({}), {} without a gene",
                  r.cells, r.tokens, static_cast<double>(r.tokens) / static_cast<double>(r.cells),
                  r.cut, share(r.cut), r.empty);
  if (r.left_out > 0) text += fmt::format("; {} left out by filter_pass", r.left_out);
  return text + fmt::format("; {:.1f} s", r.seconds);
}

}  // namespace cellmill::data
