#pragma once
// The parts of AnnData's on-disk format that we write: what h5ad files of answers and of unpacked
// stores have in common. Format: https://anndata.readthedocs.io/en/latest/fileformat-prose.html
#include <string>
#include <vector>

#include "io/hdf5.h"

namespace cellmill::data {

/// Marks an object with its encoding-type and -version.
void mark_encoding(io::H5File& file, const std::string& object, const std::string& type,
                   const std::string& version);
/// A name that makes no group: slashes become underscores.
std::string plain_name(std::string name);
void write_text_array(io::H5File& file, const std::string& object,
                      const std::vector<std::string>& texts);
/// Marks the file, and makes the empty groups that every AnnData has.
void begin_anndata(io::H5File& file);
/// A categorical without its codes, to be written at the returned place; then mark them.
std::string begin_categorical(io::H5File& file, const std::string& object,
                              const std::vector<std::string>& categories);
/// A dataframe with its index and the names of its columns, to be written into it.
void begin_frame(io::H5File& file, const std::string& group, const std::vector<std::string>& index,
                 const std::vector<std::string>& columns);

}  // namespace cellmill::data
