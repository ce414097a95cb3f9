// AnnData's on-disk format: https://anndata.readthedocs.io/en/latest/fileformat-prose.html
#include <ATen/ATen.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "infer/pending_file.h"
#include "infer/result_file.h"
#include "io/hdf5.h"

namespace cellmill::infer {
namespace {

using io::H5File;

void encode(H5File& file, const std::string& object, const std::string& type,
            const std::string& version) {
  file.set_attribute(object, "encoding-type", type);
  file.set_attribute(object, "encoding-version", version);
}

// A slash in a name would be a group.
std::string plain(std::string name) {
  std::replace(name.begin(), name.end(), '/', '_');
  return name;
}

void write_texts(H5File& file, const std::string& object, const std::vector<std::string>& texts) {
  file.write_strings(object, texts);
  encode(file, object, "string-array", "0.2.0");
}

void write_group(H5File& file, const std::string& group) {
  file.make_group(group);
  encode(file, group, "dict", "0.1.0");
}

struct WriteColumn {
  H5File& file;
  const std::string& object;

  void operator()(const Categorical& c) const {
    file.make_group(object);
    encode(file, object, "categorical", "0.2.0");
    file.set_bool_attribute(object, "ordered", false);
    write_texts(file, object + "/categories", c.categories);
    file.write<std::int32_t>(object + "/codes", c.codes,
                             {static_cast<std::int64_t>(c.codes.size())});
    encode(file, object + "/codes", "array", "0.2.0");
  }
  void operator()(const std::vector<float>& numbers) const {
    file.write<float>(object, numbers, {static_cast<std::int64_t>(numbers.size())});
    encode(file, object, "array", "0.2.0");
  }
  void operator()(const std::vector<bool>& truths) const {
    const std::vector<std::uint8_t> bytes(truths.begin(), truths.end());
    file.write_bools(object, bytes);
    encode(file, object, "array", "0.2.0");
  }
};

void write_frame(H5File& file, const std::string& group, const std::vector<std::string>& index,
                 const std::vector<Column>& columns) {
  file.make_group(group);
  encode(file, group, "dataframe", "0.2.0");
  file.set_attribute(group, "_index", std::string("_index"));
  std::vector<std::string> names;
  for (const Column& column : columns) names.push_back(plain(column.name));
  file.set_attribute(group, "column-order", names);
  write_texts(file, group + "/_index", index);
  for (const Column& column : columns)
    std::visit(WriteColumn{file, group + "/" + plain(column.name)}, column.values);
}

class H5adResult : public ResultFile {
 public:
  H5adResult(const std::string& path, ResultLayout layout)
      : pending_(path), layout_(std::move(layout)), file_(H5File::create(pending_.path())) {
    encode(file_, "/", "anndata", "0.1.0");
    for (const char* group : {"/layers", "/obsm", "/obsp", "/uns", "/varm", "/varp"})
      write_group(file_, group);
    for (const std::string& name : layout_.matrices) {
      file_.reserve<float>(object(name), {cells(), genes()});
      encode(file_, object(name), "array", "0.2.0");
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
    for (const std::string& name : layout_.matrices)
      if (written_[name] != cells()) throw InternalError(name + " does not have every cell");
    write_frame(file_, "/obs", layout_.cells, annotations.obs);
    write_frame(file_, "/var", layout_.genes, annotations.var);
    for (const Embedding& e : annotations.obsm) {
      const std::string name = plain(e.name);
      const at::Tensor dense = e.values.to(at::kFloat).contiguous();
      file_.write<float>("/obsm/" + name,
                         {dense.const_data_ptr<float>(), static_cast<std::size_t>(dense.numel())},
                         {dense.size(0), dense.size(1)});
      encode(file_, "/obsm/" + name, "array", "0.2.0");
      write_texts(file_, "/uns/" + name + "_names", e.columns);
    }
    for (const auto& [name, text] : annotations.facts) {
      file_.write_string("/uns/" + name, text);
      encode(file_, "/uns/" + name, "string", "0.2.0");
    }
    file_.close();
    pending_.publish();
  }

 private:
  static std::string object(const std::string& matrix) {
    return matrix == "X" ? "/X" : "/layers/" + plain(matrix);
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
