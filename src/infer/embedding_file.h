#pragma once
// Where embeddings go: rows are written as they come, in order, so that memory does not grow with
// their number. The file stands under its own name only after `finish`. One thread.
//   .npz   "embeddings" float32 [rows, width]; "cells" or "genes": what the rows are; "obs/NAME";
//   what
//          else describes them; "uns/NAME"
//   .h5ad  AnnData without X: obsm["X_rank_encoder"], obs, uns
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "infer/result_file.h"

namespace cellmill::infer {

struct RowNames {
  std::string kind;  ///< "cells" or "genes"
  std::vector<std::string> names;
};

struct RowNotes {
  std::vector<Column> obs;                                   ///< one value a row
  std::map<std::string, std::vector<std::int64_t>> numbers;  ///< .npz only
  std::map<std::string, std::vector<std::string>> texts;     ///< .npz only
  std::map<std::string, std::string> facts;                  ///< uns
};

class EmbeddingFile {
 public:
  virtual ~EmbeddingFile() = default;
  virtual void append(const at::Tensor& rows) = 0;  ///< [n, width] float32 on the host
  virtual void finish(const RowNotes& notes) = 0;   ///< publishes
};

/// Throws UsageError for another suffix, DataError if the folder is not there or not writable.
void check_embedding_path(const std::string& path);
std::unique_ptr<EmbeddingFile> make_embedding_file(const std::string& path, RowNames rows,
                                                   std::int64_t width);

/// The file of facts beside it: "embeddings_x.npz" -> "metadata_x.json" as notebooks of the field
/// call them, "other.npz" -> "other.metadata.json".
std::string metadata_path(const std::string& path);

}  // namespace cellmill::infer
