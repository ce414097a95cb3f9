#include <ATen/ATen.h>

#include <charconv>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "infer/pending_file.h"
#include "infer/result_file.h"
#include "io/csv.h"

namespace cellmill::infer {
namespace {

namespace fs = std::filesystem;

using io::csv_text;

void add_number(std::string& line, float value) {
  char text[32];
  line.append(text,
              std::to_chars(text, text + sizeof text, value).ptr);  // shortest that reads back
}

class CsvFile {
 public:
  CsvFile(const fs::path& target, const std::vector<std::string>& columns)
      : pending_(target), stream_(pending_.path(), std::ios::binary) {
    std::string line = "cell";
    for (const std::string& column : columns) line += "," + csv_text(column);
    write(line);
  }
  void write(const std::string& line) {
    stream_ << line << '\n';
    require_good();
  }
  void publish() {
    stream_.close();
    require_good();
    pending_.publish();
  }

 private:
  void require_good() {
    if (!stream_)
      throw DataError({pending_.target().string(), {}, {}, {}}, "cannot be written", {}, Exit::kIo);
  }
  PendingFile pending_;
  std::ofstream stream_;
};

struct AddValue {
  std::string& line;
  std::size_t row;
  void operator()(const Categorical& c) const {
    if (c.codes[row] >= 0) line += csv_text(c.categories[c.codes[row]]);
  }
  void operator()(const std::vector<float>& values) const { add_number(line, values[row]); }
  void operator()(const std::vector<bool>& truths) const { line += truths[row] ? "true" : "false"; }
};

class CsvResult : public ResultFile {
 public:
  CsvResult(const std::string& path, ResultLayout layout)
      : path_(path), layout_(std::move(layout)) {
    for (const std::string& name : layout_.matrices)
      matrices_.emplace(std::piecewise_construct, std::tuple(name),
                        std::tuple(name == "X" ? path_ : beside(name), layout_.genes));
  }

  void append(const std::string& matrix, const at::Tensor& rows) override {
    const at::Tensor dense = rows.to(at::kFloat).contiguous();
    const auto* value = dense.const_data_ptr<float>();
    CsvFile& file = matrices_.at(matrix);
    for (std::int64_t i = 0; i < dense.size(0); ++i) {
      std::string line = csv_text(layout_.cells[written_[matrix]++]);
      for (std::int64_t g = 0; g < dense.size(1); ++g) add_number(line += ',', *value++);
      file.write(line);
    }
  }

  void finish(const Annotations& annotations) override {
    write_cells(annotations);
    for (auto& [name, file] : matrices_) file.publish();
  }

 private:
  fs::path beside(const std::string& name) const {
    return path_.parent_path() / (path_.stem().string() + "." + name + ".csv");
  }

  void write_cells(const Annotations& annotations) {
    std::vector<std::string> columns;
    for (const Column& column : annotations.obs) columns.push_back(column.name);
    for (const Embedding& e : annotations.obsm)
      for (const std::string& column : e.columns) columns.push_back(e.name + ":" + column);
    CsvFile file(matrices_.count("X") ? beside("obs") : path_, columns);
    std::vector<at::Tensor> dense;
    for (const Embedding& e : annotations.obsm)
      dense.push_back(e.values.to(at::kFloat).contiguous());
    for (std::size_t i = 0; i < layout_.cells.size(); ++i) {
      std::string line = csv_text(layout_.cells[i]);
      for (const Column& column : annotations.obs)
        std::visit(AddValue{line += ',', i}, column.values);
      for (const at::Tensor& values : dense) {
        const auto* row = values.const_data_ptr<float>() + i * values.size(1);
        for (std::int64_t k = 0; k < values.size(1); ++k) add_number(line += ',', row[k]);
      }
      file.write(line);
    }
    file.publish();
  }

  fs::path path_;
  ResultLayout layout_;
  std::map<std::string, CsvFile> matrices_;
  std::map<std::string, std::size_t> written_;
};

}  // namespace

std::unique_ptr<ResultFile> make_csv_result(const std::string& path, ResultLayout layout) {
  return std::make_unique<CsvResult>(path, std::move(layout));
}

}  // namespace cellmill::infer
