#include "io/hdf5.h"
#include "io/hdf5_library.h"

namespace cellmill::io {

using h5::check;
using h5::Id;
using h5::Locked;
using h5::Source;
using h5::Spot;

namespace {

Spot attribute_spot(const std::string& file, const std::string& object, const std::string& name) {
  return {file, object + " attribute " + name};
}

Source open_attribute(hid_t file, const Spot& spot, const std::string& object,
                      const std::string& name) {
  Source source;
  source.object =
      Id(check(H5Aopen_by_name(file, object.c_str(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT), spot,
               "cannot open"),
         &H5Aclose);
  source.type = Id(check(H5Aget_type(source.object), spot, "cannot read the type"), &H5Tclose);
  source.space = Id(check(H5Aget_space(source.object), spot, "cannot read the shape"), &H5Sclose);
  source.read = &H5Aread;
  return source;
}

template <class T>
T only(std::vector<T> values, const Spot& spot) {
  if (values.size() != 1)
    throw DataError({spot.file, spot.where, "one value", std::to_string(values.size())},
                    "is no single value");
  return std::move(values[0]);
}

void write_attribute(hid_t file, const Spot& spot, const std::string& object,
                     const std::string& name, hid_t type, const Id& space, const void* data) {
  if (H5Aexists_by_name(file, object.c_str(), name.c_str(), H5P_DEFAULT) > 0)
    check(H5Adelete_by_name(file, object.c_str(), name.c_str(), H5P_DEFAULT), spot,
          "cannot replace", Exit::kIo);
  Id attribute(check(H5Acreate_by_name(file, object.c_str(), name.c_str(), type, space, H5P_DEFAULT,
                                       H5P_DEFAULT, H5P_DEFAULT),
                     spot, "cannot create", Exit::kIo),
               &H5Aclose);
  if (H5Sget_simple_extent_npoints(space) > 0)
    check(H5Awrite(attribute, type, data), spot, "cannot write", Exit::kIo);
}

}  // namespace

bool H5File::has_attribute(const std::string& object, const std::string& name) const {
  Locked library;
  return exists(object) &&
         H5Aexists_by_name(handle_->file, object.c_str(), name.c_str(), H5P_DEFAULT) > 0;
}

std::vector<std::string> H5File::strings_attribute(const std::string& object,
                                                   const std::string& name) const {
  Locked library;
  Spot spot = attribute_spot(handle_->path, object, name);
  return h5::read_texts(open_attribute(handle_->file, spot, object, name), spot);
}

std::string H5File::string_attribute(const std::string& object, const std::string& name) const {
  return only(strings_attribute(object, name), attribute_spot(handle_->path, object, name));
}

std::vector<std::int64_t> H5File::ints_attribute(const std::string& object,
                                                 const std::string& name) const {
  Locked library;
  Spot spot = attribute_spot(handle_->path, object, name);
  Source source = open_attribute(handle_->file, spot, object, name);
  std::vector<std::int64_t> values(static_cast<std::size_t>(source.count(spot)));
  if (values.empty()) return values;
  H5T_class_t kind = H5Tget_class(source.type);
  if (kind != H5T_INTEGER && kind != H5T_ENUM)
    throw DataError({spot.file, spot.where, "integers", "another type"}, "holds no integers");
  check(source.read(source.object, H5T_NATIVE_INT64, values.data()), spot, "cannot read");
  return values;
}

std::int64_t H5File::int_attribute(const std::string& object, const std::string& name) const {
  return only(ints_attribute(object, name), attribute_spot(handle_->path, object, name));
}

void H5File::set_attribute(const std::string& object, const std::string& name,
                           const std::string& value) {
  Locked library;
  const char* pointer = value.c_str();
  write_attribute(handle_->file, attribute_spot(handle_->path, object, name), object, name,
                  h5::text_type(), h5::space_of({}), &pointer);
}

void H5File::set_attribute(const std::string& object, const std::string& name, std::int64_t value) {
  Locked library;
  write_attribute(handle_->file, attribute_spot(handle_->path, object, name), object, name,
                  H5T_NATIVE_INT64, h5::space_of({}), &value);
}

void H5File::set_attribute(const std::string& object, const std::string& name,
                           const std::vector<std::string>& values) {
  Locked library;
  write_attribute(handle_->file, attribute_spot(handle_->path, object, name), object, name,
                  h5::text_type(), h5::space_of({static_cast<std::int64_t>(values.size())}),
                  h5::pointers(values).data());
}

void H5File::set_attribute(const std::string& object, const std::string& name,
                           const std::vector<std::int64_t>& values) {
  Locked library;
  write_attribute(handle_->file, attribute_spot(handle_->path, object, name), object, name,
                  H5T_NATIVE_INT64, h5::space_of({static_cast<std::int64_t>(values.size())}),
                  values.data());
}

void H5File::set_bool_attribute(const std::string& object, const std::string& name, bool value) {
  Locked library;
  const std::int8_t byte = value;
  write_attribute(handle_->file, attribute_spot(handle_->path, object, name), object, name,
                  h5::bool_type(), h5::space_of({}), &byte);
}

}  // namespace cellmill::io
