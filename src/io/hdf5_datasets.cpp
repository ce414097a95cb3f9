#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <type_traits>

#include "io/hdf5.h"
#include "io/hdf5_library.h"

namespace cellmill::io {

using h5::check;
using h5::Id;
using h5::Locked;
using h5::Source;
using h5::Spot;

namespace {

template <class T>
struct Native;
template <>
struct Native<std::int32_t> {
  static hid_t id() { return H5T_NATIVE_INT32; }
  static constexpr const char* name = "int32";
};
template <>
struct Native<std::int64_t> {
  static hid_t id() { return H5T_NATIVE_INT64; }
  static constexpr const char* name = "int64";
};
template <>
struct Native<float> {
  static hid_t id() { return H5T_NATIVE_FLOAT; }
  static constexpr const char* name = "float32";
};
template <>
struct Native<double> {
  static hid_t id() { return H5T_NATIVE_DOUBLE; }
  static constexpr const char* name = "float64";
};
template <>
struct Native<std::uint8_t> {
  static hid_t id() { return H5T_NATIVE_UINT8; }
  static constexpr const char* name = "uint8";
};

bool is_number(hid_t type) {
  H5T_class_t kind = H5Tget_class(type);
  return kind == H5T_INTEGER || kind == H5T_FLOAT || kind == H5T_ENUM;
}

[[noreturn]] void refuse_value(const Spot& spot, const char* type) {
  throw DataError({spot.file, spot.where, {}, {}}, std::string("holds a value that is no ") + type);
}

/// HDF5's own conversion truncates some floats with and some without a word.
template <class T>
std::vector<T> whole_numbers(const std::vector<double>& values, const Spot& spot) {
  std::vector<T> result(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!(values[i] >= static_cast<double>(std::numeric_limits<T>::min()) &&
          values[i] < std::ldexp(1.0, std::numeric_limits<T>::digits)) ||
        values[i] != std::trunc(values[i]))
      refuse_value(spot, Native<T>::name);
    result[i] = static_cast<T>(values[i]);
  }
  return result;
}

/// Reads `count` values that `memory_space` and `file_space` select.
template <class T>
std::vector<T> read_numbers(const Source& source, const Spot& spot, std::int64_t count,
                            hid_t memory_space, hid_t file_space) {
  if (count == 0) return {};
  if (!is_number(source.type))
    throw DataError({spot.file, spot.where, Native<T>::name, "text or a compound"},
                    "holds no numbers");
  if constexpr (std::is_integral_v<T>)
    if (H5Tget_class(source.type) == H5T_FLOAT)
      return whole_numbers<T>(read_numbers<double>(source, spot, count, memory_space, file_space),
                              spot);
  std::vector<T> values;
  try {
    values.resize(static_cast<std::size_t>(count));
  } catch (const std::exception&) {
    throw DataError({spot.file, spot.where, {}, std::to_string(count) + " values"},
                    "is too large for this machine's memory");
  }
  bool refused = false;
  Id transfer = h5::strict_transfer(refused);
  herr_t result =
      H5Dread(source.object, Native<T>::id(), memory_space, file_space, transfer, values.data());
  if (refused) refuse_value(spot, Native<T>::name);
  check(result, spot, "cannot read");
  return values;
}

std::vector<std::int64_t> shape_of(const Source& source, const Spot& spot) {
  if (H5Sget_simple_extent_type(source.space) == H5S_NULL) return {0};
  int rank = check(H5Sget_simple_extent_ndims(source.space), spot, "cannot read the shape");
  std::vector<hsize_t> sizes(static_cast<std::size_t>(rank));
  H5Sget_simple_extent_dims(source.space, sizes.data(), nullptr);
  return {sizes.begin(), sizes.end()};
}

/// Without times, so that the same content is the same file.
Id plain_layout() {
  Id layout(H5Pcreate(H5P_DATASET_CREATE), &H5Pclose);
  H5Pset_obj_track_times(layout, false);
  return layout;
}

/// Chunks of whole rows, of some 512 kB.
Id compressed_layout(const std::vector<std::int64_t>& shape, std::size_t value_bytes) {
  std::vector<hsize_t> chunk(shape.begin(), shape.end());
  std::int64_t row = std::accumulate(shape.begin() + 1, shape.end(),
                                     static_cast<std::int64_t>(value_bytes), std::multiplies<>());
  chunk[0] =
      static_cast<hsize_t>(std::clamp<std::int64_t>((std::int64_t{512} << 10) / row, 1, shape[0]));
  Id layout = plain_layout();
  H5Pset_chunk(layout, static_cast<int>(chunk.size()), chunk.data());
  H5Pset_shuffle(layout);
  H5Pset_deflate(layout, 3);
  return layout;
}

Id create_dataset(hid_t file, const Spot& spot, hid_t stored_type,
                  const std::vector<std::int64_t>& shape, hid_t layout) {
  Id parents(H5Pcreate(H5P_LINK_CREATE), &H5Pclose);
  H5Pset_create_intermediate_group(parents, 1);
  Id space = h5::space_of(shape);
  hid_t made =
      check(H5Dcreate2(file, spot.where.c_str(), stored_type, space, parents, layout, H5P_DEFAULT),
            spot, "cannot create", Exit::kIo);
  return {made, &H5Dclose};
}

void write_dataset(hid_t file, const Spot& spot, hid_t stored_type, hid_t memory_type,
                   const std::vector<std::int64_t>& shape, const void* data,
                   const Id& layout = plain_layout()) {
  Id dataset = create_dataset(file, spot, stored_type, shape, layout);
  if (std::find(shape.begin(), shape.end(), 0) == shape.end())
    check(H5Dwrite(dataset, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data), spot, "cannot write",
          Exit::kIo);
  check(H5Dclose(dataset.release()), spot, "cannot write", Exit::kIo);
}

std::uint64_t place_of(hid_t dataset, const Spot& spot) {
  const haddr_t place = H5Dget_offset(dataset);
  if (place == HADDR_UNDEF) h5::fail(spot, "does not lie in one piece");
  return place;
}

}  // namespace

std::vector<std::int64_t> H5File::shape(const std::string& dataset) const {
  Locked library;
  Spot spot{handle_->path, dataset};
  return shape_of(h5::open_dataset(handle_->file, spot, dataset), spot);
}

H5Type H5File::type(const std::string& dataset) const {
  Locked library;
  Source source = h5::open_dataset(handle_->file, {handle_->path, dataset}, dataset);
  std::size_t bytes = H5Tget_size(source.type);
  switch (H5Tget_class(source.type)) {
    case H5T_FLOAT:
      return bytes <= 4 ? H5Type::kFloat32 : H5Type::kFloat64;
    case H5T_INTEGER: {
      bool is_signed = H5Tget_sign(source.type) != H5T_SGN_NONE;
      if (bytes == 1 && !is_signed) return H5Type::kUint8;
      return bytes < 4 || (bytes == 4 && is_signed) ? H5Type::kInt32 : H5Type::kInt64;
    }
    case H5T_ENUM:
      return H5Type::kInt32;
    case H5T_STRING:
      return H5Type::kString;
    default:
      return H5Type::kOther;
  }
}

bool H5File::is_bool(const std::string& dataset) const {
  Locked library;
  Source source = h5::open_dataset(handle_->file, {handle_->path, dataset}, dataset);
  return H5Tget_class(source.type) == H5T_ENUM && H5Tget_nmembers(source.type) == 2;
}

template <class T>
std::vector<T> H5File::read(const std::string& dataset) const {
  Locked library;
  Spot spot{handle_->path, dataset};
  Source source = h5::open_dataset(handle_->file, spot, dataset);
  return read_numbers<T>(source, spot, source.count(spot), H5S_ALL, H5S_ALL);
}

template <class T>
std::vector<T> H5File::read_range(const std::string& dataset, std::int64_t begin,
                                  std::int64_t end) const {
  Locked library;
  Spot spot{handle_->path, dataset};
  Source source = h5::open_dataset(handle_->file, spot, dataset);
  std::vector<std::int64_t> shape = shape_of(source, spot);
  if (shape.empty() || shape.size() > 2)
    throw DataError({spot.file, spot.where, "1 or 2 dimensions", std::to_string(shape.size())},
                    "cannot be read by ranges");
  if (begin < 0 || end < begin || end > shape[0])
    throw DataError({spot.file, spot.where, std::to_string(begin) + " to " + std::to_string(end),
                     std::to_string(shape[0]) + " rows"},
                    "has no such range");
  std::vector<hsize_t> start(shape.size(), 0), extent(shape.begin(), shape.end());
  start[0] = static_cast<hsize_t>(begin);
  extent[0] = static_cast<hsize_t>(end - begin);
  if (begin == end) return {};
  check(H5Sselect_hyperslab(source.space, H5S_SELECT_SET, start.data(), nullptr, extent.data(),
                            nullptr),
        spot, "cannot select");
  Id memory = h5::space_of({extent.begin(), extent.end()});
  std::int64_t count = (end - begin) * (shape.size() == 2 ? shape[1] : 1);
  return read_numbers<T>(source, spot, count, memory, source.space);
}

std::vector<std::string> H5File::read_strings(const std::string& dataset) const {
  Locked library;
  Spot spot{handle_->path, dataset};
  return h5::read_texts(h5::open_dataset(handle_->file, spot, dataset), spot);
}

std::string H5File::read_string(const std::string& dataset) const {
  std::vector<std::string> texts = read_strings(dataset);
  if (texts.size() != 1)
    throw DataError({handle_->path, dataset, "one text", std::to_string(texts.size())},
                    "is no single text");
  return texts[0];
}

template <class T>
void H5File::write(const std::string& dataset, std::span<const T> values,
                   const std::vector<std::int64_t>& shape, bool compressed) {
  Locked library;
  std::int64_t count =
      std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
  if (count != static_cast<std::int64_t>(values.size()))
    throw InternalError(dataset + ": " + std::to_string(values.size()) +
                        " values do not fill the shape of " + std::to_string(count));
  write_dataset(handle_->file, {handle_->path, dataset}, Native<T>::id(), Native<T>::id(), shape,
                values.data(),
                compressed && count > 0 && !shape.empty() ? compressed_layout(shape, sizeof(T))
                                                          : plain_layout());
}

template <class T>
void H5File::reserve(const std::string& dataset, const std::vector<std::int64_t>& shape) {
  Locked library;
  Spot spot{handle_->path, dataset};
  Id made = create_dataset(handle_->file, spot, Native<T>::id(), shape, plain_layout());
  check(H5Dclose(made.release()), spot, "cannot create", Exit::kIo);
}

std::uint64_t H5File::reserve_in_place(const std::string& dataset, std::int64_t bytes) {
  Locked library;
  Spot spot{handle_->path, dataset};
  Id layout = plain_layout();
  H5Pset_alloc_time(layout, H5D_ALLOC_TIME_EARLY);
  H5Pset_fill_time(layout, H5D_FILL_TIME_NEVER);
  Id made = create_dataset(handle_->file, spot, Native<std::uint8_t>::id(), {bytes}, layout);
  return place_of(made, spot);
}

std::uint64_t H5File::byte_offset(const std::string& dataset) const {
  Locked library;
  Spot spot{handle_->path, dataset};
  return place_of(h5::open_dataset(handle_->file, spot, dataset).object, spot);
}

template <class T>
void H5File::write_range(const std::string& dataset, std::int64_t begin,
                         std::span<const T> values) {
  if (values.empty()) return;
  Locked library;
  Spot spot{handle_->path, dataset};
  Source target = h5::open_dataset(handle_->file, spot, dataset);
  std::vector<std::int64_t> shape = shape_of(target, spot);
  const std::int64_t width = shape.size() == 2 ? shape[1] : 1;
  const std::int64_t rows = width > 0 ? static_cast<std::int64_t>(values.size()) / width : 0;
  if (shape.empty() || shape.size() > 2 || rows == 0 ||
      rows * width != static_cast<std::int64_t>(values.size()) || begin < 0 ||
      begin + rows > shape[0])
    throw InternalError(dataset + ": " + std::to_string(values.size()) + " values from row " +
                        std::to_string(begin) + " are no rows of it");
  hsize_t start[] = {static_cast<hsize_t>(begin), 0};
  hsize_t extent[] = {static_cast<hsize_t>(rows), static_cast<hsize_t>(width)};
  check(H5Sselect_hyperslab(target.space, H5S_SELECT_SET, start, nullptr, extent, nullptr), spot,
        "cannot select");
  check(H5Dwrite(target.object, Native<T>::id(), h5::space_of({rows, width}), target.space,
                 H5P_DEFAULT, values.data()),
        spot, "cannot write", Exit::kIo);
}

void H5File::write_bools(const std::string& dataset, std::span<const std::uint8_t> values) {
  Locked library;
  Id type = h5::bool_type();
  write_dataset(handle_->file, {handle_->path, dataset}, type, type,
                {static_cast<std::int64_t>(values.size())}, values.data());
}

void H5File::write_strings(const std::string& dataset, const std::vector<std::string>& values) {
  Locked library;
  Id type = h5::text_type();
  write_dataset(handle_->file, {handle_->path, dataset}, type, type,
                {static_cast<std::int64_t>(values.size())}, h5::pointers(values).data());
}

void H5File::write_string(const std::string& dataset, const std::string& value) {
  Locked library;
  Id type = h5::text_type();
  const char* pointer = value.c_str();
  write_dataset(handle_->file, {handle_->path, dataset}, type, type, {}, &pointer);
}

#define CELLMILL_H5_TYPE(T)                                                                     \
  template std::vector<T> H5File::read<T>(const std::string&) const;                            \
  template std::vector<T> H5File::read_range<T>(const std::string&, std::int64_t, std::int64_t) \
      const;                                                                                    \
  template void H5File::write<T>(const std::string&, std::span<const T>,                        \
                                 const std::vector<std::int64_t>&, bool);                       \
  template void H5File::reserve<T>(const std::string&, const std::vector<std::int64_t>&);       \
  template void H5File::write_range<T>(const std::string&, std::int64_t, std::span<const T>);
CELLMILL_H5_TYPE(std::int32_t)
CELLMILL_H5_TYPE(std::int64_t)
CELLMILL_H5_TYPE(float)
CELLMILL_H5_TYPE(double)
CELLMILL_H5_TYPE(std::uint8_t)
#undef CELLMILL_H5_TYPE

}  // namespace cellmill::io
