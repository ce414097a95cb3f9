#include "data/anndata_layout.h"

#include <algorithm>

namespace cellmill::data {

void mark_encoding(io::H5File& file, const std::string& object, const std::string& type,
                   const std::string& version) {
  file.set_attribute(object, "encoding-type", type);
  file.set_attribute(object, "encoding-version", version);
}

std::string plain_name(std::string name) {
  std::replace(name.begin(), name.end(), '/', '_');
  return name;
}

void write_text_array(io::H5File& file, const std::string& object,
                      const std::vector<std::string>& texts) {
  file.write_strings(object, texts);
  mark_encoding(file, object, "string-array", "0.2.0");
}

void begin_anndata(io::H5File& file) {
  mark_encoding(file, "/", "anndata", "0.1.0");
  for (const char* group : {"/layers", "/obsm", "/obsp", "/uns", "/varm", "/varp"}) {
    file.make_group(group);
    mark_encoding(file, group, "dict", "0.1.0");
  }
}

std::string begin_categorical(io::H5File& file, const std::string& object,
                              const std::vector<std::string>& categories) {
  file.make_group(object);
  mark_encoding(file, object, "categorical", "0.2.0");
  file.set_bool_attribute(object, "ordered", false);
  write_text_array(file, object + "/categories", categories);
  return object + "/codes";
}

void begin_frame(io::H5File& file, const std::string& group, const std::vector<std::string>& index,
                 const std::vector<std::string>& columns) {
  file.make_group(group);
  mark_encoding(file, group, "dataframe", "0.2.0");
  file.set_attribute(group, "_index", std::string("_index"));
  file.set_attribute(group, "column-order", columns);
  write_text_array(file, group + "/_index", index);
}

}  // namespace cellmill::data
