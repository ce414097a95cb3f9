#include "data/source_table.h"

#include <algorithm>
#include <filesystem>
#include <unordered_map>

#include "base/error.h"
#include "base/format.h"
#include "base/nearest.h"
#include "data/metadata_command.h"
#include "data/sources/csv_source.h"
#include "data/sources/h5ad_obs.h"
#include "data/sources/h5ad_source.h"
#include "data/sources/mtx_source.h"
#include "data/sources/npz_source.h"
#include "data/sources/pack_source.h"
#include "data/sources/synthetic_source.h"
#include "data/sources/token_source.h"

namespace cellmill::data {
namespace {

bool is_npz(const std::string& path) {
  return std::filesystem::is_directory(path) || path.ends_with(".npz");
}

/// Columns are matched by name wherever two data sets meet.
void refuse_gene_twice(const std::vector<std::string>& genes, const std::string& file,
                       Faults* faults) {
  std::unordered_map<std::string_view, std::size_t> known;
  for (std::size_t i = 0; i < genes.size(); ++i)
    if (const auto [first, fresh] = known.emplace(genes[i], i); !fresh) {
      if (faults) {
        faults->note(Fault::kGeneTwice, file, -1, static_cast<std::int64_t>(i));
        continue;
      }
      throw DataError({file, fmt::format("gene {}", i), "distinct names",
                       fmt::format("'{}', which gene {} has too", genes[i], first->second)},
                      "a gene is named twice",
                      "anndata: a.var_names_make_unique(), or add such columns up");
    }
}

template <class Source>
std::unique_ptr<ChunkSource> open(const SourceOptions& options, std::shared_ptr<Faults> faults) {
  if constexpr (std::is_constructible_v<Source, SourceOptions, std::shared_ptr<Faults>>)
    return std::make_unique<Source>(options, std::move(faults));
  else  // what is made or packed here has been looked at
    return std::make_unique<Source>(options);
}

}  // namespace

const std::vector<SourceFormat>& source_table() {
  static const std::vector<SourceFormat> table = {
      {"pack", [](const std::string& path) { return is_pack_store(path); }, open<PackSource>},
      {"mtx", is_mtx, open<MtxSource>},
      {"csv", is_csv, open<CsvSource>},
      {"npz", is_npz, open<NpzSource>},
      {"tokens", is_token_store, open<TokenSource>},
      {"h5ad", is_h5ad, open<H5adSource>},
      {"synthetic", [](const std::string&) { return false; }, open<SyntheticSource>},
  };
  return table;
}

std::unique_ptr<ChunkSource> open_counting_faults(const SourceOptions& options,
                                                  std::shared_ptr<Faults> faults) {
  std::vector<std::string> names = {"auto"};
  for (const SourceFormat& format : source_table()) names.push_back(format.name);
  if (std::find(names.begin(), names.end(), options.format) == names.end())
    throw UsageError(fmt::format("unknown data format '{}'; expected one of {}", options.format,
                                 fmt::join(names, ", ")),
                     did_you_mean(options.format, names), Exit::kConfig);
  if (options.format != "synthetic" && options.path.empty())
    throw UsageError(
        "no data: `path` is empty",
        "name a folder of .npz chunks, an .h5ad, .csv or .tsv file, a 10x folder, a .cmpack "
        "store or a token store",
        Exit::kConfig);
  if (options.format != "synthetic" && !std::filesystem::exists(options.path))
    throw DataError({options.path, {}, {}, {}}, "no such file or folder", {}, Exit::kNoInput);
  if (is_pickle(options.path)) throw_no_codes(options);
  for (const SourceFormat& format : source_table())
    if (options.format == format.name ||
        (options.format == "auto" && format.recognises(options.path))) {
      auto source = format.open(options, faults);
      refuse_gene_twice(source->vocabulary().genes, options.path, faults.get());
      return source;
    }
  throw DataError({options.path,
                   {},
                   "a folder of .npz files, a 10x folder, an .npz, .h5ad, .csv, .tsv or .cmpack "
                   "file, or a token store "
                   "(.h5)",
                   {}},
                  "the format of the data is not known");
}

std::unique_ptr<ChunkSource> open_source(const SourceOptions& options) {
  return open_counting_faults(options, {});
}

}  // namespace cellmill::data
