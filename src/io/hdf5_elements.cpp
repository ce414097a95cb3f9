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

/// What a thread keeps: the pieces that it inflated last, since ranges often share one.
struct Inflated {
  std::uint64_t serial = 0;
  std::size_t piece = 0;
  Bytes bytes;
};
struct Workplace {
  std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)> inflater{
      libdeflate_alloc_decompressor(), &libdeflate_free_decompressor};
  Bytes stored, shuffled;
  std::array<Inflated, 2> kept;  // of indices and of values
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

/// Sets `inflate` and `unshuffle` by the filters of a chunked dataset; false for others than these.
bool known_filters(hid_t layout, bool& inflate, bool& unshuffle, int& filters) {
  filters = H5Pget_nfilters(layout);
  for (int i = 0; i < filters; ++i) {
    unsigned flags = 0, config = 0;
    std::size_t values = 0;
    const H5Z_filter_t filter = H5Pget_filter2(layout, static_cast<unsigned>(i), &flags, &values,
                                               nullptr, 0, nullptr, &config);
    if (filter == H5Z_FILTER_SHUFFLE && i == 0)
      unshuffle = true;
    else if (filter == H5Z_FILTER_DEFLATE && !inflate)
      inflate = true;
    else
      return false;
  }
  return !unshuffle || inflate;
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

template <class T>
H5Elements<T>::H5Elements(const H5File& file, const std::string& dataset)
    : file_(file),
      dataset_(dataset),
      descriptor_(file.path(), Descriptor::Mode::kRead),
      serial_(next_serial()),
      size_(file.shape(dataset).at(0)) {
  direct_ = find_pieces();
}

template <class T>
bool H5Elements<T>::find_pieces() {
  const Locked library;
  const Spot spot{file_.path(), dataset_};
  const hid_t handle = h5::handle_of(file_);
  const Source source = h5::open_dataset(handle, spot, dataset_);
  const Id creation(H5Fget_create_plist(handle), &H5Pclose);
  const Id layout(H5Dget_create_plist(source.object), &H5Pclose);
  hsize_t user_block = 0;
  H5Pget_userblock(creation, &user_block);
  width_ = known_width<T>(source.type);
  if (user_block != 0 || width_ == 0 || size_ == 0) return false;
  if (H5Pget_layout(layout) == H5D_CONTIGUOUS) {
    const haddr_t at = H5Dget_offset(source.object);
    if (at == HADDR_UNDEF || H5Pget_external_count(layout) != 0) return false;
    piece_elements_ = size_;
    pieces_ = {{at, static_cast<std::uint64_t>(size_) * width_, false, false}};
    return true;
  }
  Piece piece;
  int filters = 0;
  unsigned options = 0;
  hsize_t extent = 0;
  if (H5Pget_layout(layout) != H5D_CHUNKED || H5Pget_chunk(layout, 1, &extent) != 1 ||
      !known_filters(layout, piece.inflate, piece.unshuffle, filters) ||
      H5Pget_chunk_opts(layout, &options) < 0 || options != 0)
    return false;
  piece_elements_ = static_cast<std::int64_t>(extent);
  for (hsize_t first = 0; first < static_cast<hsize_t>(size_); first += extent) {
    unsigned skipped = 0;
    haddr_t at = HADDR_UNDEF;
    hsize_t bytes = 0;
    h5::check(H5Dget_chunk_info_by_coord(source.object, &first, &skipped, &at, &bytes), spot,
              "cannot find its chunks");
    if (at == HADDR_UNDEF || skipped != 0) return false;
    piece.at = at;
    piece.bytes = bytes;
    pieces_.push_back(piece);
  }
  return true;
}

template <class T>
const std::uint8_t* H5Elements<T>::plain_bytes(std::size_t number, std::int64_t& bytes_read) const {
  Workplace& place = workplace();
  Inflated& kept = place.kept[std::is_same_v<T, float>];
  if (kept.serial == serial_ && kept.piece == number) return kept.bytes.data();
  const Piece& piece = pieces_[number];
  const auto fail = [&](const char* what) {
    throw DataError({file_.path(), dataset_ + ", chunk " + std::to_string(number), {}, {}}, what,
                    "copy or make the file again");
  };
  kept.serial = 0;
  place.stored.resize(piece.bytes);
  if (descriptor_.read_at(place.stored.data(), piece.bytes, piece.at) != piece.bytes)
    fail("is truncated");
  bytes_read += static_cast<std::int64_t>(piece.bytes);
  const std::size_t bytes = static_cast<std::size_t>(piece_elements_) * width_;
  Bytes& inflated = piece.unshuffle ? place.shuffled : kept.bytes;
  inflated.resize(bytes);
  std::size_t made = 0;
  if (libdeflate_zlib_decompress(place.inflater.get(), place.stored.data(), piece.bytes,
                                 inflated.data(), bytes, &made) != LIBDEFLATE_SUCCESS ||
      made != bytes)
    fail("does not inflate: its compressed bytes are damaged");
  if (piece.unshuffle) {
    kept.bytes.resize(bytes);
    if (width_ == 4)
      unshuffle<4>(inflated.data(), bytes / 4, kept.bytes.data());
    else
      unshuffle<8>(inflated.data(), bytes / 8, kept.bytes.data());
  }
  kept.serial = serial_;
  kept.piece = number;
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
std::int64_t H5Elements<T>::append_from(std::size_t number, std::int64_t begin, std::int64_t end,
                                        T* to) const {
  const Piece& piece = pieces_[number];
  const std::size_t bytes = static_cast<std::size_t>(end - begin) * width_;
  const std::uint64_t skip = static_cast<std::uint64_t>(begin) * width_;
  std::int64_t bytes_read = 0;
  if (piece.inflate) {
    const std::uint8_t* from = plain_bytes(number, bytes_read) + skip;
    if (width_ == sizeof(T))
      std::memcpy(to, from, bytes);
    else
      convert(from, end - begin, to);
    return bytes_read;
  }
  Bytes& wide = workplace().shuffled;
  if (width_ != sizeof(T)) wide.resize(bytes);
  std::uint8_t* into = width_ == sizeof(T) ? reinterpret_cast<std::uint8_t*>(to) : wide.data();
  if (descriptor_.read_at(into, bytes, piece.at + skip) != bytes)
    throw DataError({file_.path(), dataset_, {}, {}}, "is truncated",
                    "copy or make the file again");
  if (width_ != sizeof(T)) convert(into, end - begin, to);
  return static_cast<std::int64_t>(bytes);
}

template <class T>
std::int64_t H5Elements<T>::append(std::int64_t begin, std::int64_t end, UnsetVector<T>& to) const {
  const std::size_t held = to.size();
  if (begin == end) return 0;
  if (!direct_) {
    const auto values = file_.read_range<T>(dataset_, begin, end);
    to.insert(to.end(), values.begin(), values.end());
    return static_cast<std::int64_t>(values.size() * sizeof(T));
  }
  to.resize(held + static_cast<std::size_t>(end - begin));
  T* into = to.data() + held;
  std::int64_t bytes = 0;
  for (std::int64_t at = begin; at < end;) {
    const std::int64_t number = at / piece_elements_, first = number * piece_elements_;
    const std::int64_t stop = std::min(end, first + piece_elements_);
    bytes += append_from(static_cast<std::size_t>(number), at - first, stop - first, into);
    into += stop - at;
    at = stop;
  }
  return bytes;
}

template <class T>
void H5Elements<T>::expect(std::int64_t begin, std::int64_t end) const {
  if (!direct_ || begin == end) return;
  if (!pieces_[0].inflate && pieces_.size() == 1) {
    descriptor_.expect(pieces_[0].at + static_cast<std::uint64_t>(begin) * width_,
                       static_cast<std::uint64_t>(end - begin) * width_);
    return;
  }
  for (std::int64_t p = begin / piece_elements_; p <= (end - 1) / piece_elements_; ++p)
    descriptor_.expect(pieces_[static_cast<std::size_t>(p)].at,
                       pieces_[static_cast<std::size_t>(p)].bytes);
}

template class H5Elements<std::int32_t>;
template class H5Elements<float>;

}  // namespace cellmill::io
