#pragma once
// What a census means for training, in words: what would be refused, what would mislead a model
// (values that dominate a field, fields that go together, labels that only validation has), and the
// figures behind it as text, JSON and a picture.
#include <string>
#include <vector>

#include "data/census.h"
#include "io/json.h"
#include "io/svg.h"

namespace cellmill::data {

struct Remark {
  enum class Level { kRefused, kWarning, kNote };
  Level level;
  std::string text, hint;
};

struct FieldFacts {
  std::int64_t labelled = 0, missing = 0;  ///< cells
  std::int64_t rare = 0, absent = 0;       ///< categories of fewer than ten cells, of none
  std::vector<std::size_t> by_size;        ///< categories, largest first
  double effective = 0;                    ///< exp of the entropy: as many equal categories
};
FieldFacts facts_of(const FieldCount& field);

/// What the values look like: whole numbers and large, or log1p of something.
enum class Scale { kCounts, kLogs, kUnclear };
Scale scale_of(const Census& census);

/// part / whole; 0 of nothing.
double share(std::int64_t part, std::int64_t whole);
/// "12.3 %"
std::string percent(double share);

/// How strongly the categories of two fields go together: Cramér's V, corrected for chance
/// (Bergsma 2013), over cells that have both labels. NaN where it says nothing: not counted, or
/// fewer than two categories in a field.
double cramers_v(const PairCount& pair, std::size_t across);

struct CensusReport {
  std::string path;
  bool raw_counts = false;  ///< as the settings have it
  Vocabulary vocabulary;
  Census census;
  std::vector<std::string> refusals;  ///< of the data set as a whole: labels that are not there
  std::vector<Remark> remarks() const;
  /// Would training refuse this?
  bool refused() const;
};

std::string text_of(const CensusReport& report);
io::Json json_of(const CensusReport& report);
/// Histograms, the share of each value in its field, and which fields go together.
io::Svg figure_of(const CensusReport& report);
/// json_of: of one report an object, of several a list.
std::string json_text(const std::vector<CensusReport>& reports);
/// figure_of as a file.
void write_figure(const CensusReport& report, const std::string& path);
/// The pictures of the figure, one by one.
std::vector<io::Svg> charts_of(const CensusReport& report);

}  // namespace cellmill::data
