#include <ATen/ATen.h>

#include <map>

#include "base/error.h"
#include "data/anndata_layout.h"
#include "infer/pending_file.h"
#include "infer/result_file.h"
#include "io/hdf5.h"

namespace cellmill::infer {
namespace {

using data::mark_encoding;
using data::plain_name;
using data::write_text_array;
using io::H5File;

struct WriteColumn {
  H5File& file;
  const std::string& object;

  void operator()(const Categorical& c) const {
    const std::string codes = data::begin_categorical(file, object, c.categories);
    file.write<std::int32_t>(codes, c.codes, {static_cast<std::int64_t>(c.codes.size())});
    mark_encoding(file, codes, "array", "0.2.0");
  }
  void operator()(const std::vector<float>& numbers) const {
    file.write<float>(object, numbers, {static_cast<std::int64_t>(numbers.size())});
    mark_encoding(file, object, "array", "0.2.0");
  }
  void operator()(const std::vector<bool>& truths) const {
    const std::vector<std::uint8_t> bytes(truths.begin(), truths.end());
    file.write_bools(object, bytes);
    mark_encoding(file, object, "array", "0.2.0");
  }
};

void write_frame(H5File& file, const std::string& group, const std::vector<std::string>& index,
                 const std::vector<Column>& columns) {
  std::vector<std::string> names;
  for (const Column& column : columns) names.push_back(plain_name(column.name));
  data::begin_frame(file, group, index, names);
  for (const Column& column : columns)
    std::visit(WriteColumn{file, group + "/" + plain_name(column.name)}, column.values);
}

class H5adResult : public ResultFile {
 public:
  H5adResult(const std::string& path, ResultLayout layout)
      : pending_(path), layout_(std::move(layout)), file_(H5File::create(pending_.path())) {
    data::begin_anndata(file_);
    for (const std::string& name : layout_.matrices) {
      file_.reserve<float>(object(name), {cells(), genes()});
      mark_encoding(file_, object(name), "array", "0.2.0");
    }
    for (const auto& [name, columns] : layout_.obsm) {
      const std::string place = object("obsm/" + name);
      file_.reserve<float>(place, {cells(), columns});
      mark_encoding(file_, place, "array", "0.2.0");
    }
  }

  void append(const std::string& matrix, const at::Tensor& rows) override {
    const at::Tensor dense = rows.to(at::kFloat).contiguous();
    std::int64_t& begin = written_[matrix];
    file_.write_range<float>(
        object(matrix), begin,
        {dense.const_data_ptr<float>(), static_cast<std::size_t>(dense.numel())});
    begin += dense.size(0);
  }

  void finish(const Annotations& annotations) override {
    for (const std::string& name : layout_.matrices) check_whole(name);
    for (const auto& [name, columns] : layout_.obsm) check_whole("obsm/" + name);
    write_frame(file_, "/obs", layout_.cells, annotations.obs);
    write_frame(file_, "/var", layout_.genes, annotations.var);
    for (const Embedding& e : annotations.obsm) {
      const std::string name = plain_name(e.name);
      const at::Tensor dense = e.values.to(at::kFloat).contiguous();
      file_.write<float>("/obsm/" + name,
                         {dense.const_data_ptr<float>(), static_cast<std::size_t>(dense.numel())},
                         {dense.size(0), dense.size(1)});
      mark_encoding(file_, "/obsm/" + name, "array", "0.2.0");
      write_text_array(file_, "/uns/" + name + "_names", e.columns);
    }
    for (const auto& [name, text] : annotations.facts) {
      file_.write_string("/uns/" + name, text);
      mark_encoding(file_, "/uns/" + name, "string", "0.2.0");
    }
    file_.close();
    pending_.publish();
  }

 private:
  static std::string object(const std::string& matrix) {
    if (matrix.starts_with("obsm/")) return "/obsm/" + plain_name(matrix.substr(5));
    return matrix == "X" ? "/X" : "/layers/" + plain_name(matrix);
  }
  void check_whole(const std::string& matrix) {
    if (written_[matrix] != cells()) throw InternalError(matrix + " does not have every cell");
  }
  std::int64_t cells() const { return static_cast<std::int64_t>(layout_.cells.size()); }
  std::int64_t genes() const { return static_cast<std::int64_t>(layout_.genes.size()); }

  PendingFile pending_;
  ResultLayout layout_;
  H5File file_;
  std::map<std::string, std::int64_t> written_;
};

}  // namespace

std::unique_ptr<ResultFile> make_h5ad_result(const std::string& path, ResultLayout layout) {
  return std::make_unique<H5adResult>(path, std::move(layout));
}

}  // namespace cellmill::infer
