#include "checkpoint/state_file.h"

#include <ATen/ops/from_blob.h>

#include <memory>

#include "base/error.h"
#include "base/format.h"
#include "io/digest.h"
#include "io/hdf5.h"

namespace cellmill::checkpoint {
namespace {

using io::H5File;

const char* type_name(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return "float32";
    case at::kDouble:
      return "float64";
    case at::kLong:
      return "int64";
    case at::kByte:
      return "uint8";
    default:
      return nullptr;
  }
}

/// Parts between "/" that HDF5 takes as they are; no name that is also the group of another.
template <class Map>
void check_names(const Map& map, const char* kind) {
  for (const auto& [name, value] : map) {
    for (std::size_t begin = 0, end = 0; end != std::string::npos; begin = end + 1) {
      end = name.find('/', begin);
      const std::string part = name.substr(begin, end - begin);
      if (part.empty() || part == "." || part == ".." || part.find('\0') != std::string::npos)
        throw InternalError(fmt::format("checkpoint: no name for one of {}: \"{}\"", kind, name));
      if (end != std::string::npos && map.count(name.substr(0, end)))
        throw InternalError(
            fmt::format("checkpoint: {}: \"{}\" is a name and a group", kind, name.substr(0, end)));
    }
  }
}

void check_text(const std::string& name, const std::string& text) {
  if (text.find('\0') != std::string::npos)
    throw InternalError("checkpoint: a zero byte in the text " + name);
}

template <class T>
void write_values(H5File& file, const std::string& dataset, const at::Tensor& tensor) {
  file.write<T>(dataset, {tensor.const_data_ptr<T>(), static_cast<std::size_t>(tensor.numel())},
                tensor.sizes().vec());
}

TensorEntry write_tensor(H5File& file, const std::string& dataset, const at::Tensor& given) {
  const at::Tensor tensor = given.detach().cpu().contiguous();
  switch (tensor.scalar_type()) {
    case at::kFloat:
      write_values<float>(file, dataset, tensor);
      break;
    case at::kDouble:
      write_values<double>(file, dataset, tensor);
      break;
    case at::kLong:
      write_values<std::int64_t>(file, dataset, tensor);
      break;
    default:
      write_values<std::uint8_t>(file, dataset, tensor);
  }
  return {type_name(tensor.scalar_type()), tensor.sizes().vec(),
          io::digest(tensor.const_data_ptr(), tensor.nbytes())};
}

/// The tensor owns the vector: no second copy.
template <class T>
at::Tensor read_values(const H5File& file, const std::string& dataset, at::ScalarType type) {
  auto values = std::make_shared<std::vector<T>>(file.read<T>(dataset));
  return at::from_blob(
      values->data(), file.shape(dataset), [values](void*) {}, at::TensorOptions(type));
}

at::Tensor read_tensor(const H5File& file, const std::string& dataset) {
  switch (file.type(dataset)) {
    case io::H5Type::kFloat32:
      return read_values<float>(file, dataset, at::kFloat);
    case io::H5Type::kFloat64:
      return read_values<double>(file, dataset, at::kDouble);
    case io::H5Type::kInt64:
      return read_values<std::int64_t>(file, dataset, at::kLong);
    case io::H5Type::kUint8:
      return read_values<std::uint8_t>(file, dataset, at::kByte);
    default:
      throw DataError({file.path(), dataset, "float32, float64, int64 or uint8", "another type"},
                      "is no tensor of a checkpoint");
  }
}

void require_entry(const std::string& file, const std::string& dataset, const at::Tensor& tensor,
                   const TensorEntry& entry) {
  const auto text = [](const TensorEntry& e) {
    return fmt::format("{} [{}] with digest {}", e.type, fmt::join(e.shape, ", "), e.digest);
  };
  const TensorEntry found{type_name(tensor.scalar_type()), tensor.sizes().vec(),
                          io::digest(tensor.const_data_ptr(), tensor.nbytes())};
  if (found != entry)
    throw DataError({file, dataset, text(entry), text(found)}, "is not the tensor that was saved");
}

/// Names of the datasets below `group`, with their path from there.
std::vector<std::string> names_below(const H5File& file, const std::string& group,
                                     const std::string& prefix = "") {
  std::vector<std::string> names;
  if (!file.exists(group)) return names;
  for (const std::string& child : file.children(group)) {
    const std::string object = group + "/" + child;
    if (!file.is_group(object)) {
      names.push_back(prefix + child);
      continue;
    }
    for (std::string& name : names_below(file, object, prefix + child + "/"))
      names.push_back(std::move(name));
  }
  return names;
}

template <class T>
T read_one(const H5File& file, const std::string& dataset) {
  const std::vector<T> values = file.read<T>(dataset);
  if (values.size() != 1)
    throw DataError({file.path(), dataset, "one number", std::to_string(values.size())},
                    "is no single number");
  return values[0];
}

}  // namespace

void check_storable(const State& state) {
  check_names(state.tensors, "tensors");
  check_names(state.texts, "texts");
  check_names(state.numbers, "numbers");
  check_names(state.reals, "reals");
  check_names(state.lists, "lists");
  for (const auto& [name, tensor] : state.tensors)
    if (!tensor.defined() || !type_name(tensor.scalar_type()))
      throw InternalError("checkpoint: tensor " + name + " is " + tensor.toString());
  for (const auto& [name, text] : state.texts) check_text(name, text);
  for (const auto& [name, list] : state.lists)
    for (const std::string& text : list) check_text(name, text);
}

std::uint64_t bytes_needed(const State& state) {
  constexpr std::uint64_t kHeader = 4096, kPerString = 64;  // HDF5's own, generously
  std::uint64_t bytes = 16 * kHeader;
  for (const auto& [name, tensor] : state.tensors) bytes += tensor.nbytes() + kHeader;
  for (const auto& [name, text] : state.texts) bytes += text.size() + kHeader;
  bytes += (state.numbers.size() + state.reals.size()) * kHeader;
  for (const auto& [name, list] : state.lists) {
    bytes += kHeader;
    for (const std::string& text : list) bytes += text.size() + kPerString;
  }
  return bytes;
}

void write_state(const fs::path& path, const State& state,
                 std::map<std::string, TensorEntry>& entries) {
  H5File file = H5File::create(path.string());
  for (const auto& [name, tensor] : state.tensors)
    entries[name] = write_tensor(file, "/tensors/" + name, tensor);
  for (const auto& [name, text] : state.texts) file.write_string("/texts/" + name, text);
  for (const auto& [name, value] : state.numbers)
    file.write<std::int64_t>("/numbers/" + name, {&value, 1}, {});
  for (const auto& [name, value] : state.reals)
    file.write<double>("/reals/" + name, {&value, 1}, {});
  for (const auto& [name, list] : state.lists) file.write_strings("/lists/" + name, list);
  file.close();
}

State read_state(const fs::path& path, const std::map<std::string, TensorEntry>& entries,
                 bool keep) {
  const H5File file = H5File::open(path.string());
  State state;
  std::size_t seen = 0;
  for (const std::string& name : names_below(file, "/tensors")) {
    const std::string dataset = "/tensors/" + name;
    const auto entry = entries.find(name);
    if (entry == entries.end())
      throw DataError({file.path(), dataset, "", ""}, "is not in the manifest");
    const at::Tensor tensor = read_tensor(file, dataset);
    require_entry(file.path(), dataset, tensor, entry->second);
    if (keep) state.tensors[name] = tensor;
    ++seen;
  }
  if (seen != entries.size())
    throw DataError({file.path(), "/tensors", std::to_string(entries.size()) + " tensors",
                     std::to_string(seen)},
                    "lacks tensors of the manifest");
  if (!keep) return state;
  for (const std::string& name : names_below(file, "/texts"))
    state.texts[name] = file.read_string("/texts/" + name);
  for (const std::string& name : names_below(file, "/numbers"))
    state.numbers[name] = read_one<std::int64_t>(file, "/numbers/" + name);
  for (const std::string& name : names_below(file, "/reals"))
    state.reals[name] = read_one<double>(file, "/reals/" + name);
  for (const std::string& name : names_below(file, "/lists"))
    state.lists[name] = file.read_strings("/lists/" + name);
  return state;
}

}  // namespace cellmill::checkpoint
