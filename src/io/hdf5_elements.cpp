#include "io/hdf5_elements.h"

#include <libdeflate.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "io/hdf5_library.h"

namespace cellmill::io {

using h5::Id;
using h5::Locked;
using h5::Source;
using h5::Spot;

namespace {

using Bytes = UnsetVector<std::uint8_t>;

/// What a thread keeps: the chunks that it read last, since ranges often share one.
struct Kept {
  std::uint64_t serial = 0;
  std::int64_t chunk = 0;
  Bytes bytes;
};
struct Workplace {
  std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)> inflater{
      libdeflate_alloc_decompressor(), &libdeflate_free_decompressor};
  Bytes stored, shuffled;
  std::array<Kept, 2> kept;  // of indices and of values
};

Workplace& workplace() {
  thread_local Workplace place;
  return place;
}

/// Undoes HDF5's shuffle filter: all first bytes, then all second ones, ...
template <std::size_t kWidth>
void unshuffle(const std::uint8_t* from, std::size_t count, std::uint8_t* to) {
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t b = 0; b < kWidth; ++b) to[i * kWidth + b] = from[b * count + i];
}

template <class T>
std::size_t known_width(hid_t type) {
  constexpr bool kFloat = std::is_same_v<T, float>;
  for (const hid_t known :
       {kFloat ? H5T_IEEE_F32LE : H5T_STD_I32LE, kFloat ? H5T_IEEE_F64LE : H5T_STD_I64LE})
    if (H5Tequal(type, known) > 0) return H5Tget_size(type);
  return 0;
}

std::uint64_t next_serial() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

}  // namespace

std::int64_t length_of(const H5File& file, const std::string& dataset) {
  const std::vector<std::int64_t> sizes = file.shape(dataset);
  if (sizes.size() != 1)
    throw DataError({file.path(), dataset, "1 dimension", std::to_string(sizes.size())},
                    "is no list");
  return sizes[0];
}

template <class T>
struct H5Elements<T>::Chunks {
  Id dataset;
  std::int64_t elements = 0;       // of a chunk
  int shuffle = -1, deflate = -1;  // places in the pipeline
  int filters = 0;
  /// Finds the filters; false for others than these.
  bool know(hid_t layout) {
    filters = H5Pget_nfilters(layout);
    for (int i = 0; i < filters; ++i) {
      unsigned flags = 0, config = 0;
      std::size_t values = 0;
      const H5Z_filter_t filter = H5Pget_filter2(layout, static_cast<unsigned>(i), &flags, &values,
                                                 nullptr, 0, nullptr, &config);
      if (filter == H5Z_FILTER_SHUFFLE && i == 0)
        shuffle = i;
      else if (filter == H5Z_FILTER_DEFLATE && deflate < 0)
        deflate = i;
      else
        return false;
    }
    return true;
  }
};

template <class T>
H5Elements<T>::H5Elements(const H5File& file, const std::string& dataset)
    : file_(file),
      dataset_(dataset),
      descriptor_(file.path(), Descriptor::Mode::kRead),
      serial_(next_serial()),
      size_(length_of(file, dataset)) {
  direct_ = open(dataset);
}

template <class T>
H5Elements<T>::~H5Elements() {
  const Locked library;
  chunks_.reset();
}

template <class T>
bool H5Elements<T>::open(const std::string& dataset) {
  const Locked library;
  const hid_t handle = h5::handle_of(file_);
  Source source = h5::open_dataset(handle, {file_.path(), dataset}, dataset);
  const Id creation(H5Fget_create_plist(handle), &H5Pclose);
  const Id layout(H5Dget_create_plist(source.object), &H5Pclose);
  hsize_t user_block = 0;
  H5Pget_userblock(creation, &user_block);
  width_ = known_width<T>(source.type);
  if (user_block != 0 || width_ == 0 || size_ == 0) return false;
  if (H5Pget_layout(layout) == H5D_CONTIGUOUS) {
    contiguous_ = H5Dget_offset(source.object);
    return contiguous_ != HADDR_UNDEF && H5Pget_external_count(layout) == 0;
  }
  auto chunks = std::make_unique<Chunks>();
  unsigned options = 0;
  hsize_t extent = 0;
  if (H5Pget_layout(layout) != H5D_CHUNKED || H5Pget_chunk(layout, 1, &extent) != 1 ||
      !chunks->know(layout) || H5Pget_chunk_opts(layout, &options) < 0 || options != 0)
    return false;
  chunks->elements = static_cast<std::int64_t>(extent);
  chunks->dataset = std::move(source.object);
  chunks_ = std::move(chunks);
  return true;
}

template <class T>
const std::uint8_t* H5Elements<T>::chunk(std::int64_t number, std::int64_t& bytes_read) const {
  Workplace& place = workplace();
  Kept& kept = place.kept[std::is_same_v<T, float>];
  if (kept.serial == serial_ && kept.chunk == number) return kept.bytes.data();
  kept.serial = 0;
  const Spot spot{file_.path(), dataset_ + ", chunk " + std::to_string(number)};
  const hsize_t first = static_cast<hsize_t>(number * chunks_->elements);
  hsize_t stored = 0;
  std::uint32_t skipped = 0;
  {
    const Locked library;
    h5::check(H5Dget_chunk_storage_size(chunks_->dataset, &first, &stored), spot, "cannot find it");
    place.stored.resize(stored);
    if (stored > 0)
      h5::check(H5Dread_chunk(chunks_->dataset, H5P_DEFAULT, &first, &skipped, place.stored.data()),
                spot, "cannot read it");
  }
  bytes_read += static_cast<std::int64_t>(stored);
  const auto applies = [&](int filter) { return filter >= 0 && (skipped >> filter & 1U) == 0; };
  const std::size_t bytes = static_cast<std::size_t>(chunks_->elements) * width_;
  if (applies(chunks_->deflate)) {
    std::size_t made = 0;
    kept.bytes.resize(bytes);
    if (libdeflate_zlib_decompress(place.inflater.get(), place.stored.data(), stored,
                                   kept.bytes.data(), bytes, &made) != LIBDEFLATE_SUCCESS ||
        made != bytes)
      throw DataError({spot.file, spot.where, {}, {}},
                      "does not inflate: its compressed bytes are damaged",
                      "copy or make the file again");
  } else {
    std::swap(kept.bytes, place.stored);
  }
  if (kept.bytes.size() != bytes)
    throw DataError({spot.file, spot.where, std::to_string(bytes) + " bytes",
                     std::to_string(kept.bytes.size())},
                    "a chunk of another size", "copy or make the file again");
  if (applies(chunks_->shuffle)) {
    place.stored.resize(bytes);
    if (width_ == 4)
      unshuffle<4>(kept.bytes.data(), bytes / 4, place.stored.data());
    else
      unshuffle<8>(kept.bytes.data(), bytes / 8, place.stored.data());
    std::swap(kept.bytes, place.stored);
  }
  kept.serial = serial_;
  kept.chunk = number;
  return kept.bytes.data();
}

template <class T>
void H5Elements<T>::convert(const std::uint8_t* from, std::int64_t count, T* to) const {
  using Wide = std::conditional_t<std::is_same_v<T, float>, double, std::int64_t>;
  for (std::int64_t i = 0; i < count; ++i) {
    Wide value;
    std::memcpy(&value, from + i * static_cast<std::int64_t>(sizeof value), sizeof value);
    if constexpr (std::is_same_v<T, std::int32_t>)
      if (value < std::numeric_limits<T>::min() || value > std::numeric_limits<T>::max())
        throw DataError({file_.path(), dataset_, {}, std::to_string(value)},
                        "holds a value that is no int32");
    to[i] = static_cast<T>(value);
  }
}

template <class T>
std::int64_t H5Elements<T>::append_contiguous(std::int64_t begin, std::int64_t end, T* to) const {
  const std::size_t bytes = static_cast<std::size_t>(end - begin) * width_;
  Bytes& wide = workplace().stored;
  if (width_ != sizeof(T)) wide.resize(bytes);
  std::uint8_t* into = width_ == sizeof(T) ? reinterpret_cast<std::uint8_t*>(to) : wide.data();
  const std::uint64_t at = contiguous_ + static_cast<std::uint64_t>(begin) * width_;
  if (descriptor_.read_at(into, bytes, at) != bytes)
    throw DataError({file_.path(), dataset_, {}, {}}, "is truncated",
                    "copy or make the file again");
  if (width_ != sizeof(T)) convert(into, end - begin, to);
  return static_cast<std::int64_t>(bytes);
}

template <class T>
std::int64_t H5Elements<T>::append(std::int64_t begin, std::int64_t end, UnsetVector<T>& to) const {
  const std::size_t held = to.size();
  if (begin == end) return 0;
  if (begin < 0 || end < begin || end > size_)
    throw DataError(
        {file_.path(), dataset_, std::to_string(end) + " elements", std::to_string(size_)},
        "has no such range");
  if (!direct_) {
    const auto values = file_.read_range<T>(dataset_, begin, end);
    to.insert(to.end(), values.begin(), values.end());
    return static_cast<std::int64_t>(values.size() * sizeof(T));
  }
  to.resize(held + static_cast<std::size_t>(end - begin));
  T* into = to.data() + held;
  if (!chunks_) return append_contiguous(begin, end, into);
  std::int64_t bytes = 0;
  for (std::int64_t at = begin; at < end;) {
    const std::int64_t number = at / chunks_->elements, first = number * chunks_->elements;
    const std::int64_t stop = std::min(end, first + chunks_->elements);
    const std::uint8_t* from = chunk(number, bytes) + static_cast<std::size_t>(at - first) * width_;
    if (width_ == sizeof(T))
      std::memcpy(into, from, static_cast<std::size_t>(stop - at) * width_);
    else
      convert(from, stop - at, into);
    into += stop - at;
    at = stop;
  }
  return bytes;
}

template <class T>
void H5Elements<T>::expect(std::int64_t begin, std::int64_t end) const {
  if (direct_ && !chunks_)
    descriptor_.expect(contiguous_ + static_cast<std::uint64_t>(begin) * width_,
                       static_cast<std::uint64_t>(end - begin) * width_);
}

template class H5Elements<std::int32_t>;
template class H5Elements<float>;

}  // namespace cellmill::io
