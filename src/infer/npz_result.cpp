#include <ATen/ATen.h>

#include <algorithm>

#include "base/error.h"
#include "infer/result_file.h"
#include "io/npz.h"

namespace cellmill::infer {
namespace {

std::span<const float> numbers(const at::Tensor& dense) {
  return {dense.const_data_ptr<float>(), static_cast<std::size_t>(dense.numel())};
}

struct AddColumn {
  io::NpzWriter& file;
  const std::string& name;

  void operator()(const Categorical& c) const {
    std::vector<std::string> texts;
    for (std::int32_t code : c.codes) texts.push_back(code < 0 ? "" : c.categories[code]);
    file.add(name, texts);
  }
  void operator()(const std::vector<float>& values) const {
    file.add(name, std::span<const float>(values), {static_cast<std::int64_t>(values.size())});
  }
  void operator()(const std::vector<bool>& truths) const {
    const std::vector<std::int64_t> values(truths.begin(), truths.end());
    file.add(name, std::span<const std::int64_t>(values),
             {static_cast<std::int64_t>(values.size())});
  }
};

class NpzResult : public ResultFile {
 public:
  NpzResult(const std::string& path, ResultLayout layout)
      : path_(path), layout_(std::move(layout)) {}

  void append(const std::string& matrix, const at::Tensor& rows) override {
    parts_[matrix].push_back(rows.to(at::kFloat));
  }

  void finish(const Annotations& annotations) override {
    io::NpzWriter file(path_);
    for (const std::string& name : layout_.matrices) {
      const at::Tensor dense = at::cat(parts_[name]).contiguous();
      parts_.erase(name);
      file.add(name == "X" ? name : "layers/" + name, numbers(dense),
               {dense.size(0), dense.size(1)});
    }
    file.add("cells", layout_.cells);
    file.add("genes", layout_.genes);
    for (const Column& column : annotations.obs) add_column(file, "obs/" + column.name, column);
    for (const Column& column : annotations.var) add_column(file, "var/" + column.name, column);
    for (const Embedding& e : annotations.obsm) {
      file.add("obsm/" + e.name, numbers(e.values.contiguous()),
               {e.values.size(0), e.values.size(1)});
      file.add("obsm/" + e.name + "_names", e.columns);
    }
    for (const auto& [name, text] : annotations.facts)
      file.add("uns/" + name, std::vector<std::string>{text});
    file.close();
  }

 private:
  std::string path_;
  ResultLayout layout_;
  std::map<std::string, std::vector<at::Tensor>> parts_;
};

}  // namespace

void add_column(io::NpzWriter& file, const std::string& name, const Column& column) {
  std::visit(AddColumn{file, name}, column.values);
}

std::unique_ptr<ResultFile> make_npz_result(const std::string& path, ResultLayout layout) {
  return std::make_unique<NpzResult>(path, std::move(layout));
}

}  // namespace cellmill::infer
