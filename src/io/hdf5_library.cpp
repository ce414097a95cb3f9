#include "io/hdf5_library.h"

#include <cerrno>
#include <cstring>

#include "base/format.h"
#include "base/utf8.h"

namespace cellmill::io::h5 {

namespace {

std::recursive_mutex& library_lock() {
  static std::recursive_mutex lock;
  return lock;
}

std::string most_specific_message() {
  std::string text;
  auto first = [](unsigned depth, const H5E_error2_t* error, void* into) -> herr_t {
    if (depth == 0) *static_cast<std::string*>(into) = error->desc;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, first, &text);
  return text;
}

H5T_conv_ret_t refuse_what_does_not_fit(H5T_conv_except_t, hid_t, hid_t target, void*, void*,
                                        void* refused) {
  if (H5Tget_class(target) != H5T_INTEGER) return H5T_CONV_UNHANDLED;  // inf stays inf
  *static_cast<bool*>(refused) = true;
  return H5T_CONV_ABORT;
}

}  // namespace

Locked::Locked() : lock_(library_lock()) {
  static bool prepared = false;
  if (!prepared) H5dont_atexit();  // after a full disk its clean-up at exit would complain again
  prepared = true;
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

void fail(const Spot& spot, const std::string& what, Exit code) {
  std::string words = most_specific_message();
  std::string hint;
  const std::string quote = "error message = '";
  if (auto begin = words.find(quote); begin != std::string::npos) {
    begin += quote.size();
    words = words.substr(begin, words.find('\'', begin) - begin);
    code = Exit::kIo;
    if (words == std::strerror(ENOSPC) || words == std::strerror(EDQUOT))
      hint = "make room, or write elsewhere";
  }
  throw DataError({spot.file, spot.where, {}, {}}, words.empty() ? what : what + ": " + words, hint,
                  code);
}

std::int64_t Source::count(const Spot& spot) const {
  return check(H5Sget_simple_extent_npoints(space), spot, "cannot read the shape");
}

Source open_dataset(hid_t file, const Spot& spot, const std::string& name) {
  Source source;
  source.object =
      Id(check(H5Dopen2(file, name.c_str(), H5P_DEFAULT), spot, "cannot open"), &H5Dclose);
  source.type = Id(check(H5Dget_type(source.object), spot, "cannot read the type"), &H5Tclose);
  source.space = Id(check(H5Dget_space(source.object), spot, "cannot read the shape"), &H5Sclose);
  source.read = [](hid_t object, hid_t memory_type, void* data) {
    return H5Dread(object, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
  };
  return source;
}

namespace {

std::vector<std::string> read_variable_texts(const Source& source, const Spot& spot,
                                             std::int64_t count, hid_t memory) {
  std::vector<char*> raw(static_cast<std::size_t>(count), nullptr);
  check(source.read(source.object, memory, raw.data()), spot, "cannot read the text");
  std::vector<std::string> texts;
  texts.reserve(raw.size());
  for (const char* text : raw) texts.emplace_back(text ? text : "");
  H5Dvlen_reclaim(memory, source.space, H5P_DEFAULT, raw.data());
  return texts;
}

std::vector<std::string> read_fixed_texts(const Source& source, const Spot& spot,
                                          std::int64_t count, hid_t memory) {
  std::size_t width = H5Tget_size(memory);
  bool blanks = H5Tget_strpad(memory) == H5T_STR_SPACEPAD;
  std::vector<char> raw(static_cast<std::size_t>(count) * width);
  check(source.read(source.object, memory, raw.data()), spot, "cannot read the text");
  std::vector<std::string> texts;
  for (std::size_t at = 0; at < raw.size(); at += width) {
    std::string text(raw.data() + at, strnlen(raw.data() + at, width));
    if (blanks) text.erase(text.find_last_not_of(' ') + 1);
    texts.push_back(std::move(text));
  }
  return texts;
}

}  // namespace

std::vector<std::string> read_texts(const Source& source, const Spot& spot) {
  std::int64_t count = source.count(spot);
  if (count == 0) return {};
  if (H5Tget_class(source.type) != H5T_STRING)
    throw DataError({spot.file, spot.where, "text", "numbers"}, "is no text");
  Id memory(H5Tcopy(H5T_C_S1), &H5Tclose);
  H5Tset_cset(memory, H5Tget_cset(source.type));  // HDF5 does not convert between character sets
  H5Tset_strpad(memory, H5Tget_strpad(source.type));
  bool variable = H5Tis_variable_str(source.type) > 0;
  H5Tset_size(memory, variable ? H5T_VARIABLE : H5Tget_size(source.type));
  auto texts = variable ? read_variable_texts(source, spot, count, memory)
                        : read_fixed_texts(source, spot, count, memory);
  for (std::size_t i = 0; i < texts.size(); ++i)
    if (const std::size_t at = utf8_ends_at(texts[i]); at != std::string::npos)
      throw DataError(
          {spot.file, fmt::format("{}, element {}", spot.where, i), "UTF-8",
           fmt::format("byte 0x{:02x} at {}", static_cast<unsigned char>(texts[i][at]), at)},
          "is no UTF-8", "write the file again with such texts decoded");
  return texts;
}

Id text_type() {
  Id type(H5Tcopy(H5T_C_S1), &H5Tclose);
  H5Tset_size(type, H5T_VARIABLE);
  H5Tset_cset(type, H5T_CSET_UTF8);
  return type;
}

Id bool_type() {
  Id type(H5Tenum_create(H5T_STD_I8LE), &H5Tclose);
  for (std::int8_t value : {0, 1}) H5Tenum_insert(type, value ? "TRUE" : "FALSE", &value);
  return type;
}

std::vector<const char*> pointers(const std::vector<std::string>& texts) {
  std::vector<const char*> result;
  for (const std::string& text : texts) result.push_back(text.c_str());
  return result;
}

Id space_of(const std::vector<std::int64_t>& shape) {
  if (shape.empty()) return {H5Screate(H5S_SCALAR), &H5Sclose};
  std::vector<hsize_t> sizes(shape.begin(), shape.end());
  return {H5Screate_simple(static_cast<int>(sizes.size()), sizes.data(), nullptr), &H5Sclose};
}

Id strict_transfer(bool& refused) {
  Id transfer(H5Pcreate(H5P_DATASET_XFER), &H5Pclose);
  H5Pset_type_conv_cb(transfer, &refuse_what_does_not_fit, &refused);
  return transfer;
}

}  // namespace cellmill::io::h5
