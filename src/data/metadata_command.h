#pragma once
// Where the metadata of a data set are, and what to type if they have not been preprocessed: the
// program reads label codes and never a pickle, so it tells how to make them.
#include <cstdint>
#include <string>

#include "data/chunk_source.h"

namespace cellmill::data {

/// `metadata: none`: cells without labels, for a model that needs none; so are an h5ad and chunks
/// of which none are asked for (`labels_optional`).
bool without_metadata(const SourceOptions& options);
bool reads_h5ad(const SourceOptions& options);
/// The folder that holds the chunks: `options.path`, or its parent if it is a file.
std::string data_folder(const SourceOptions& options);
/// The folder that tools/preprocess_metadata wrote: `options.metadata`, or <data folder>/preproc.
std::string metadata_folder(const SourceOptions& options);
/// The command that makes label codes of the metadata files found, to be typed as it is.
std::string preprocess_command(const SourceOptions& options);
/// Throws the DataError for a folder without label codes, or a path that is a metadata file.
[[noreturn]] void throw_no_codes(const SourceOptions& options);
/// Is this the name of a pickle?
bool is_pickle(const std::string& path);

/// A file's name with its number, the last run of digits of the stem, replaced:
/// ("human_counts_12.npz", "*") -> "human_counts_*.npz". Without digits: the name.
std::string replace_number(const std::string& name, const std::string& by);
/// That number. Throws DataError if there is none.
std::int64_t number_in_name(const std::string& path);

}  // namespace cellmill::data
