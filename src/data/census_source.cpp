#include "data/census_source.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "data/metadata_command.h"
#include "data/source_table.h"
#include "data/sources/h5ad_obs.h"

namespace cellmill::data {

CensusSource open_for_census(const SourceOptions& given) {
  CensusSource opened;
  SourceOptions options = given;
  opened.faults = std::make_shared<Faults>();
  options.raw_counts = false;
  const bool named = !options.fields.empty() || options.metadata == "none";
  try {
    if (reads_h5ad(options) && !named && std::filesystem::exists(options.path)) {
      options.fields = likely_fields(io::H5File::open(options.path));
      if (options.fields.empty()) options.metadata = "none";
    }
    opened.source = open_counting_faults(options, opened.faults);
  } catch (const DataError& error) {
    if (error.code() != Exit::kData && error.code() != Exit::kNoInput) throw;
    if (error.code() == Exit::kNoInput && !std::filesystem::exists(options.path)) throw;
    opened.refusals.push_back(error.text());
    options.metadata = "none";
    options.fields.clear();
    opened.faults = std::make_shared<Faults>();
    try {
      opened.source = open_counting_faults(options, opened.faults);
    } catch (const DataError&) {  // not the labels, then: one refusal says it
    }
  }
  return opened;
}

}  // namespace cellmill::data
