#include <string>

#include "data/anndata_layout.h"
#include "data/store/cell_writer.h"

namespace cellmill::data {
namespace {

class H5adWriter : public CellWriter {
 public:
  H5adWriter(const std::filesystem::path& path, const Vocabulary& vocabulary, std::int64_t cells,
             std::int64_t entries)
      : vocabulary_(vocabulary), file_(io::H5File::create(path.string())) {
    begin_anndata(file_);
    file_.make_group("/X");
    mark_encoding(file_, "/X", "csr_matrix", "0.1.0");
    file_.set_attribute(
        "/X", "shape",
        std::vector<std::int64_t>{cells, static_cast<std::int64_t>(vocabulary.genes.size())});
    file_.reserve<float>("/X/data", {entries});
    file_.reserve<std::int32_t>("/X/indices", {entries});
    for (const Field& field : vocabulary.fields) {
      columns_.push_back(plain_name(field.name));
      codes_.push_back(begin_categorical(file_, "/obs/" + columns_.back(), field.categories));
      file_.reserve<std::int32_t>(codes_.back(), {cells});
      mark_encoding(file_, codes_.back(), "array", "0.2.0");
    }
  }

  void add(const Chunk& cells, const std::vector<std::int64_t>& numbers) override {
    file_.write_range<float>("/X/data", indptr_.back(), cells.values);
    file_.write_range<std::int32_t>("/X/indices", indptr_.back(), cells.indices);
    const auto before = static_cast<std::int64_t>(names_.size());
    const std::int64_t entries = indptr_.back();
    for (std::int64_t r = 0; r < cells.rows; ++r) {
      indptr_.push_back(entries + cells.indptr[r + 1]);
      names_.push_back(std::to_string(numbers[r]));
    }
    std::vector<std::int32_t> codes(numbers.size());
    for (std::size_t f = 0; f < codes_.size(); ++f) {
      for (std::size_t r = 0; r < codes.size(); ++r) codes[r] = cells.labels[r * codes_.size() + f];
      file_.write_range<std::int32_t>(codes_[f], before, codes);
    }
  }

  void finish() override {
    file_.write<std::int64_t>("/X/indptr", indptr_, {static_cast<std::int64_t>(indptr_.size())});
    begin_frame(file_, "/obs", names_, columns_);
    begin_frame(file_, "/var", vocabulary_.genes, {});
    file_.close();
  }

 private:
  const Vocabulary& vocabulary_;
  io::H5File file_;
  std::vector<std::string> columns_, codes_, names_;
  std::vector<std::int64_t> indptr_ = {0};
};

}  // namespace

std::unique_ptr<CellWriter> write_h5ad(const std::filesystem::path& file,
                                       const Vocabulary& vocabulary, std::int64_t cells,
                                       std::int64_t entries) {
  return std::make_unique<H5adWriter>(file, vocabulary, cells, entries);
}

}  // namespace cellmill::data
