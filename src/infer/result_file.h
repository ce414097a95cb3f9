#pragma once
// Where answers go: one file a question, in the format that its suffix names. Rows of matrices come
// in order and are written as they come, what describes cells and genes comes at the end. The file
// stands under its own name only after `finish`; before that, and after an error, there is at most
// a temporary one, which the destructor removes. One thread.
//   .h5ad  AnnData 0.1.0 (anndata >= 0.8, scanpy): X, layers, obs, var, obsm, uns; memory bounded
//   .npz   numpy: "X", "layers/NAME", "obs/NAME", "var/NAME", "obsm/NAME"; held in memory whole
//   .csv   cells down, genes across; NAME.obs.csv beside it for the cells, NAME.LAYER.csv for
//          layers. Without a matrix the .csv itself is the table of the cells
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace cellmill::io {
class NpzWriter;
}

namespace cellmill::infer {

struct Categorical {
  std::vector<std::int32_t> codes;  ///< -1 = missing
  std::vector<std::string> categories;
};

/// One value a cell or gene: a category, a number, or yes/no.
struct Column {
  std::string name;
  std::variant<Categorical, std::vector<float>, std::vector<bool>> values;
};

/// Several numbers a cell, with their names.
struct Embedding {
  std::string name;
  std::vector<std::string> columns;
  at::Tensor values;  ///< [cells, columns] float32
};

struct Annotations {
  std::vector<Column> obs, var;
  std::vector<Embedding> obsm;
  std::map<std::string, std::string> facts;  ///< uns: where it came from
};

struct ResultLayout {
  std::vector<std::string> cells, genes;
  std::vector<std::string> matrices;  ///< "X" and names of layers; may be empty
  /// .h5ad: embeddings too large to hold, by name and columns; rows go to "obsm/NAME".
  std::map<std::string, std::int64_t> obsm = {};
};

class ResultFile {
 public:
  virtual ~ResultFile() = default;
  /// The next rows of a matrix, [n, genes] float32 on the host, or of an embedding; each gets every
  /// cell once.
  virtual void append(const std::string& matrix, const at::Tensor& rows) = 0;
  /// Writes the annotations and publishes the file. Throws DataError (74).
  virtual void finish(const Annotations& annotations) = 0;
};

/// Throws UsageError for another suffix, DataError if the folder is not there or not writable.
std::unique_ptr<ResultFile> make_result_file(const std::string& path, ResultLayout layout);
/// The same refusals without making anything: commands call it before they start to work.
void check_result_path(const std::string& path);
/// Those about the folder alone.
void check_result_folder(const std::string& path);

std::unique_ptr<ResultFile> make_h5ad_result(const std::string& path, ResultLayout layout);
std::unique_ptr<ResultFile> make_npz_result(const std::string& path, ResultLayout layout);
std::unique_ptr<ResultFile> make_csv_result(const std::string& path, ResultLayout layout);

/// A column as an array of an .npz: texts, numbers, or 0 and 1.
void add_column(io::NpzWriter& file, const std::string& name, const Column& column);

}  // namespace cellmill::infer
