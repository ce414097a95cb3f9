#pragma once
// Label codes that tools/preprocess_metadata made of a folder's metadata: labels.h5 (format
// "cellmill-labels-1", described in tools/label_codes.py) and metadata_vocab.json beside it. The
// program reads these two and never a pickle. Reading is thread-safe; all errors are DataError.
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "data/chunk.h"
#include "data/chunk_source.h"
#include "io/hdf5.h"

namespace cellmill::data {

/// All fields of a metadata_vocab.json ({field: {category: code}}) that have categories, by name.
/// Throws if the codes of a field are not 0 .. n-1.
std::map<std::string, Field> read_metadata_vocabulary(const std::string& path);

/// Expects a metadata_vocab.json entry of this name. Throws DataError with the nearest name.
const Field& find_field(const std::map<std::string, Field>& fields, const std::string& name,
                        const std::string& file);

class LabelCodes {
 public:
  /// Opens what `options.metadata` names (empty: <folder of the data>/preproc). `options.fields`
  /// selects the fields, empty those that metadata_field_specs.json marks as `using`. Throws with
  /// the command to run if there are no codes, only metadata files, or codes of another vocabulary.
  explicit LabelCodes(const SourceOptions& options);
  const std::vector<Field>& fields() const { return fields_; }
  const std::string& path() const { return file_.path(); }
  struct Entry {
    std::int64_t rows = 0;
    std::string source;  ///< name of the metadata file
  };
  const std::map<std::int64_t, Entry>& chunks() const { return chunks_; }  ///< by number
  std::vector<std::int32_t> read(std::int64_t number) const;               ///< [rows, fields]

 private:
  void read_chunks();
  void select_fields(const SourceOptions& options, const std::string& folder);

  io::H5File file_;
  std::map<std::int64_t, Entry> chunks_;
  std::vector<Field> fields_;
  std::vector<std::int64_t> columns_;  // of the file, by field
  std::int64_t file_columns_ = 0;
};

}  // namespace cellmill::data
