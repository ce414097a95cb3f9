#pragma once
// HDF5 with owners and words: handles close themselves, errors are DataError with file, object and
// the library's own message (65 for what a file says, 74 where the system refused). One
// process-wide lock guards the library (Debian's build is not thread-safe), so every call here is
// thread-safe and serial. Text is read variable-length or fixed and written variable-length UTF-8,
// as h5py and anndata do; truth values are h5py's enum and read as integers. No file locks are
// taken: cluster file systems refuse them.
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace cellmill::io {

class H5File;
namespace h5 {
std::int64_t handle_of(const H5File& file);  // the library's, for hdf5*.cpp
}

enum class H5Type { kInt32, kInt64, kFloat32, kFloat64, kUint8, kString, kOther };

class H5File {
 public:
  static H5File open(
      const std::string& path);  ///< for reading; 66 if it is not there, 65 if it is no HDF5 file
  /// Truncates. The first `user_block` bytes (0, or a power of two from 512) are the caller's.
  static H5File create(const std::string& path, std::uint64_t user_block = 0);
  H5File(H5File&&) noexcept;
  H5File& operator=(H5File&&) noexcept;
  ~H5File();
  const std::string& path() const;

  // what is there; paths are absolute inside the file ("/obs/cell_type/codes")
  bool exists(const std::string& object) const;
  bool is_group(const std::string& object) const;
  std::vector<std::string> children(const std::string& group) const;  ///< sorted
  std::vector<std::int64_t> shape(const std::string& dataset) const;  ///< {} is a scalar
  H5Type type(const std::string& dataset)
      const;  ///< the nearest of the types above (bool and small ints: kInt32)
  bool is_bool(const std::string& dataset) const;  ///< h5py's enum of FALSE and TRUE
  /// Where in the file a dataset's bytes begin; throws for one that is chunked or not yet written.
  std::uint64_t byte_offset(const std::string& dataset) const;

  // whole datasets, converted by HDF5 to the asked type; a value that an asked integer type cannot
  // hold (too large, a fraction, NaN) is refused
  template <class T>
  std::vector<T> read(const std::string& dataset) const;  ///< T: int32, int64, float, double, uint8
  std::vector<std::string> read_strings(const std::string& dataset) const;
  /// Elements [begin, end) of a 1-d dataset, or rows [begin, end) of a 2-d one.
  template <class T>
  std::vector<T> read_range(const std::string& dataset, std::int64_t begin, std::int64_t end) const;
  std::string read_string(const std::string& dataset) const;  ///< of a scalar, or of one element

  // new datasets, with the groups above them; `compressed` is chunks of some 512 kB, byte-shuffled
  // and deflated
  template <class T>
  void write(const std::string& dataset, std::span<const T> values,
             const std::vector<std::int64_t>& shape, bool compressed = false);
  /// An empty 1-d or 2-d dataset, to be filled row range by row range; rows never written are zero.
  template <class T>
  void reserve(const std::string& dataset, const std::vector<std::int64_t>& shape);
  /// Whole rows from `begin` on; as many as `values` fill.
  template <class T>
  void write_range(const std::string& dataset, std::int64_t begin, std::span<const T> values);
  /// A 1-d dataset of bytes that somebody else fills, from the returned offset in the file on, once
  /// this is closed.
  std::uint64_t reserve_in_place(const std::string& dataset, std::int64_t bytes);
  void write_bools(const std::string& dataset, std::span<const std::uint8_t> values);      ///< 1-d
  void write_strings(const std::string& dataset, const std::vector<std::string>& values);  ///< 1-d
  void write_string(const std::string& dataset, const std::string& value);  ///< scalar
  void make_group(const std::string& group);  ///< with its parents; one that is there is kept

  // attributes of a group or dataset ("/" is the file); `set` replaces
  bool has_attribute(const std::string& object, const std::string& name) const;
  std::string string_attribute(const std::string& object, const std::string& name) const;
  std::int64_t int_attribute(const std::string& object, const std::string& name) const;
  std::vector<std::string> strings_attribute(const std::string& object,
                                             const std::string& name) const;
  std::vector<std::int64_t> ints_attribute(const std::string& object,
                                           const std::string& name) const;
  void set_attribute(const std::string& object, const std::string& name, const std::string& value);
  void set_attribute(const std::string& object, const std::string& name, std::int64_t value);
  void set_attribute(const std::string& object, const std::string& name,
                     const std::vector<std::string>& values);
  void set_attribute(const std::string& object, const std::string& name,
                     const std::vector<std::int64_t>& values);
  void set_bool_attribute(const std::string& object, const std::string& name, bool value);

  void flush();
  void close();  ///< the success path calls it; it reports errors, the destructor is silent

 private:
  friend std::int64_t h5::handle_of(const H5File& file);
  struct Handle;
  explicit H5File(std::unique_ptr<Handle> handle);
  std::unique_ptr<Handle> handle_;
};

}  // namespace cellmill::io
