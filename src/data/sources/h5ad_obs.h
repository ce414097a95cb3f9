#pragma once
// Columns of an AnnData table (obs, var) as label codes: categoricals, strings and truth values in
// the encodings of anndata 0.7 to 0.12. Format: anndata "On-disk format" (dataframe 0.1.0 and
// 0.2.0). Errors are DataError.
#include <cstdint>
#include <string>
#include <vector>

#include "data/chunk.h"
#include "io/hdf5.h"

namespace cellmill::data {

struct ObsColumn {
  Field field;
  std::vector<std::int32_t> codes;  ///< one a cell, kMissing for -1, NaN and empty text
};

bool is_h5ad(const std::string& path);

/// Names of the columns of /obs that have categories: categoricals, strings, truth values.
std::vector<std::string> categorical_columns(const io::H5File& file);

/// Of these, what may well be fields: columns with fewer values than half the cells, 2,000 at most.
std::vector<std::string> likely_fields(const io::H5File& file);

/// Category order is the file's for categoricals, sorted for strings and truth values ("False",
/// "True"); none where all values are missing. Throws for a column that is not there (nearest name)
/// or holds numbers.
ObsColumn read_obs_column(const io::H5File& file, const std::string& name);

/// Codes of `column` for the categories of `field`; values that it lacks become missing, with a
/// warning that counts them.
std::vector<std::int32_t> recode(const ObsColumn& column, const Field& field,
                                 const std::string& file);

/// The names that index a table ("/obs", "/var", "/raw/var").
std::vector<std::string> read_index(const io::H5File& file, const std::string& table);

/// A column of a table as texts: text, categories or numbers; "" for what is missing. Throws for
/// one that is not there, with the nearest name.
std::vector<std::string> read_column(const io::H5File& file, const std::string& table,
                                     const std::string& name);

/// The line of Python that writes the file anew; `change` is what it does in between ("").
std::string rewrite_hint(const std::string& path, const std::string& change);

}  // namespace cellmill::data
