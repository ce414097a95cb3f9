#include "infer/embedding_file.h"

#include <ATen/ATen.h>

#include <filesystem>

#include "base/error.h"
#include "base/format.h"
#include "infer/pending_file.h"
#include "io/npz.h"

namespace cellmill::infer {
namespace {

namespace fs = std::filesystem;

constexpr const char* kName = "X_rank_encoder";

class NpzEmbedding : public EmbeddingFile {
 public:
  NpzEmbedding(const std::string& path, RowNames rows, std::int64_t width)
      : pending_(path), rows_(std::move(rows)), file_(pending_.path(), "embeddings", width) {}

  void append(const at::Tensor& rows) override {
    const at::Tensor dense = rows.contiguous();
    file_.append({dense.const_data_ptr<float>(), static_cast<std::size_t>(dense.numel())});
  }

  void finish(const RowNotes& notes) override {
    io::NpzWriter& file = file_.others();
    file.add(rows_.kind, rows_.names);
    for (const Column& column : notes.obs) add_column(file, "obs/" + column.name, column);
    for (const auto& [name, values] : notes.numbers)
      file.add(name, std::span(values), {static_cast<std::int64_t>(values.size())});
    for (const auto& [name, values] : notes.texts) file.add(name, values);
    for (const auto& [name, text] : notes.facts)
      file.add("uns/" + name, std::vector<std::string>{text});
    file_.close();
    pending_.publish();
  }

 private:
  PendingFile pending_;
  RowNames rows_;
  io::NpzRowsWriter file_;
};

class H5adEmbedding : public EmbeddingFile {
 public:
  H5adEmbedding(const std::string& path, RowNames rows, std::int64_t width)
      : file_(make_h5ad_result(path, {std::move(rows.names), {}, {}, {{kName, width}}})) {}
  void append(const at::Tensor& rows) override {
    file_->append(fmt::format("obsm/{}", kName), rows);
  }
  void finish(const RowNotes& notes) override {
    file_->finish({.obs = notes.obs, .var = {}, .obsm = {}, .facts = notes.facts});
  }

 private:
  std::unique_ptr<ResultFile> file_;
};

}  // namespace

void check_embedding_path(const std::string& path) {
  const auto suffix = fs::path(path).extension();
  if (suffix != ".npz" && suffix != ".h5ad")
    throw UsageError("cannot write " + path + ": its suffix names no format that I know",
                     "known: .npz, .h5ad");
  check_result_folder(path);
}

std::unique_ptr<EmbeddingFile> make_embedding_file(const std::string& path, RowNames rows,
                                                   std::int64_t width) {
  check_embedding_path(path);
  if (fs::path(path).extension() == ".npz")
    return std::make_unique<NpzEmbedding>(path, std::move(rows), width);
  return std::make_unique<H5adEmbedding>(path, std::move(rows), width);
}

std::string metadata_path(const std::string& path) {
  const fs::path file(path);
  const std::string stem = file.stem().string(), plain = "embeddings";
  const std::string name =
      stem.starts_with(plain) ? "metadata" + stem.substr(plain.size()) : stem + ".metadata";
  return (file.parent_path() / (name + ".json")).string();
}

}  // namespace cellmill::infer
