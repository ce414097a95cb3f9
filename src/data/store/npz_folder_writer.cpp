#include <string>

#include "base/format.h"
#include "data/store/cell_writer.h"
#include "io/csv.h"
#include "io/descriptor.h"
#include "io/npz.h"

namespace cellmill::data {
namespace {

class NpzFolderWriter : public CellWriter {
 public:
  NpzFolderWriter(std::filesystem::path folder, const Vocabulary& vocabulary,
                  std::int64_t file_cells)
      : folder_(std::move(folder)), vocabulary_(vocabulary), file_cells_(file_cells) {
    std::filesystem::create_directories(folder_);
    std::string genes;
    for (const std::string& gene : vocabulary.genes) genes += gene + "\n";
    write("genes.txt", genes);
    begin_file();
  }

  void add(const Chunk& cells, const std::vector<std::int64_t>& numbers) override {
    for (std::int64_t r = 0; r < cells.rows; ++r) {
      const auto begin = cells.indptr[r], end = cells.indptr[r + 1];
      matrix_.indices.insert(matrix_.indices.end(), cells.indices.begin() + begin,
                             cells.indices.begin() + end);
      matrix_.values.insert(matrix_.values.end(), cells.values.begin() + begin,
                            cells.values.begin() + end);
      matrix_.indptr.push_back(static_cast<std::int64_t>(matrix_.indices.size()));
      add_labels(cells, r, numbers[r]);
      if (++matrix_.rows == file_cells_) end_file();
    }
  }

  void finish() override {
    if (matrix_.rows > 0) end_file();
  }

 private:
  void add_labels(const Chunk& cells, std::int64_t row, std::int64_t number) {
    table_ += std::to_string(number);
    for (std::size_t f = 0; f < vocabulary_.fields.size(); ++f) {
      const std::int32_t code = cells.labels[row * vocabulary_.fields.size() + f];
      table_ += ",";
      if (code != kMissing) table_ += io::csv_text(vocabulary_.fields[f].categories[code]);
    }
    table_ += "\n";
  }

  void begin_file() {
    matrix_ = {0, static_cast<std::int64_t>(vocabulary_.genes.size()), {0}, {}, {}};
    table_ = "cell";
    for (const Field& field : vocabulary_.fields) table_ += "," + io::csv_text(field.name);
    table_ += "\n";
  }

  void end_file() {
    const std::string number = fmt::format("{:05}", files_++);
    io::write_csr((folder_ / ("expression_" + number + ".npz")).string(), matrix_, false);
    write("metadata_" + number + ".csv", table_);
    begin_file();
  }

  void write(const std::string& name, const std::string& text) const {
    io::Descriptor file(folder_ / name, io::Descriptor::Mode::kCreateNew);
    file.write(text.data(), text.size());
    file.close();
  }

  std::filesystem::path folder_;
  const Vocabulary& vocabulary_;
  std::int64_t file_cells_, files_ = 0;
  io::CsrFile matrix_;
  std::string table_;
};

}  // namespace

std::unique_ptr<CellWriter> write_npz_folder(const std::filesystem::path& folder,
                                             const Vocabulary& vocabulary,
                                             std::int64_t file_cells) {
  return std::make_unique<NpzFolderWriter>(folder, vocabulary, file_cells);
}

}  // namespace cellmill::data
