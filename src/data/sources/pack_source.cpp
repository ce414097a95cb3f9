#include "data/sources/pack_source.h"

#include <algorithm>

#include "base/error.h"
#include "base/format.h"
#include "base/nearest.h"
#include "data/metadata_command.h"
#include "data/sources/pack_rows.h"

namespace cellmill::data {

PackSource::PackSource(const SourceOptions& options)
    : expression_(options.raw_counts, {}, options.takes_counts),
      raw_counts_(options.raw_counts),
      digests_(options.verify ? Digests::kVerify : Digests::kTrust),
      store_(open_pack_store(options.path)) {
  if (!options.metadata.empty() && !without_metadata(options))
    throw UsageError(
        options.path + ": a store has its own labels; `metadata` is " + options.metadata,
        "leave `metadata` empty, or say none", Exit::kConfig);
  if (raw_counts_ && store_.facts().normalised)
    throw UsageError(options.path +
                         ": raw_counts is true, but the counts were normalised when "
                         "they were packed",
                     "set raw_counts: false", Exit::kConfig);
  vocabulary_.genes = store_.vocabulary.genes;
  if (!without_metadata(options)) select_fields(options.fields);
  cut_into_chunks(options.chunk_cells);
}

void PackSource::select_fields(const std::vector<std::string>& wanted) {
  const auto& fields = store_.vocabulary.fields;
  std::vector<std::string> names;
  for (const Field& field : fields) names.push_back(field.name);
  for (const std::string& name : wanted.empty() ? names : wanted) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end())
      throw DataError({store_.path.string(), "/fields", {}, {}}, "no field '" + name + "'",
                      did_you_mean(name, names));
    const auto column = static_cast<std::size_t>(found - names.begin());
    labels_.push_back({column, static_cast<std::int32_t>(fields[column].categories.size())});
    vocabulary_.fields.push_back(fields[column]);
  }
}

void PackSource::cut_into_chunks(std::int64_t chunk_cells) {
  const std::int64_t most = (chunk_cells + kBlockRows - 1) / kBlockRows * kBlockRows;
  for (std::size_t s = 0; s < store_.shards.size(); ++s) {
    const PackFile& shard = store_.shards[s];
    for (std::int64_t begin = 0; begin < shard.shard().cells; begin += most) {
      const auto rows = std::min(most, shard.shard().cells - begin);
      index_.push_back(
          {static_cast<std::int64_t>(index_.size()), rows, shard.shard().first_cell + begin,
           fmt::format("{}: cells {} to {}", shard.path().string(), begin, begin + rows - 1)});
      runs_.push_back({s, begin});
    }
  }
}

std::int64_t PackSource::append(const ChunkInfo& chunk, std::int64_t begin, std::int64_t end,
                                Chunk& rows) const {
  const Run& run = runs_[chunk.id];
  const PackFile& shard = store_.shards[run.shard];
  const std::int64_t held = rows.rows;
  const std::int64_t bytes =
      shard.append(run.begin + begin, run.begin + end, digests_, labels_, rows);
  if (raw_counts_) expression_.prepare(rows, shard.path().string(), run.begin + begin, held);
  return bytes;
}

std::unique_ptr<HeldRows> PackSource::hold() const {
  return raw_counts_ ? csr_rows(*this) : std::make_unique<PackRows>(*this);
}

std::int64_t PackSource::bytes_held() const {
  if (raw_counts_) return ChunkSource::bytes_held();
  std::int64_t bytes = 0;
  for (const PackFile& shard : store_.shards) bytes += shard.coded_bytes();
  return bytes / std::max<std::int64_t>(cells(), 1) + PackRows::kBytesMore;
}

void PackSource::expect(std::int64_t chunk, std::int64_t begin, std::int64_t end) const {
  const Run& run = runs_.at(chunk);
  store_.shards[run.shard].expect(run.begin + begin, run.begin + end);
}

}  // namespace cellmill::data
