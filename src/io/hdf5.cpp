#include "io/hdf5.h"

#include <algorithm>
#include <filesystem>

#include "io/descriptor.h"
#include "io/hdf5_library.h"

namespace cellmill::io {

using h5::check;
using h5::Id;
using h5::Locked;

namespace {

Id access_without_file_locks() {
  Id access(H5Pcreate(H5P_FILE_ACCESS), &H5Pclose);
  H5Pset_file_locking(access, false, true);
  H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
  return access;
}

}  // namespace

H5File::H5File(std::unique_ptr<Handle> handle) : handle_(std::move(handle)) {}
H5File::H5File(H5File&&) noexcept = default;

H5File& H5File::operator=(H5File&& other) noexcept {
  std::swap(handle_, other.handle_);
  return *this;
}

H5File::~H5File() {
  Locked library;
  handle_.reset();
}

std::int64_t h5::handle_of(const H5File& file) { return file.handle_->file; }

const std::string& H5File::path() const { return handle_->path; }

H5File H5File::open(const std::string& path) {
  Descriptor(path, Descriptor::Mode::kRead).size();  // the system's own words, where it refuses
  Locked library;
  if (H5Fis_hdf5(path.c_str()) == 0)
    throw DataError({path, {}, {}, {}}, "is not an HDF5 file",
                    "expected .h5 or .h5ad; was it copied whole?");
  Id access = access_without_file_locks();
  Id file(check(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access), {path, {}}, "cannot open as HDF5"),
          &H5Fclose);
  return H5File(std::make_unique<Handle>(Handle{std::move(file), path}));
}

H5File H5File::create(const std::string& path, std::uint64_t user_block) {
  Locked library;
  Id access = access_without_file_locks();
  Id creation(H5Pcreate(H5P_FILE_CREATE), &H5Pclose);
  H5Pset_userblock(creation, user_block);
  Id file(check(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation, access), {path, {}},
                "cannot create", Exit::kIo),
          &H5Fclose);
  return H5File(std::make_unique<Handle>(Handle{std::move(file), path}));
}

bool H5File::exists(const std::string& object) const {
  Locked library;
  for (std::size_t end = 1; end < object.size() && end != std::string::npos;) {
    end = object.find('/', end + 1);  // HDF5 asks that each link on the way is there
    if (H5Lexists(handle_->file, object.substr(0, end).c_str(), H5P_DEFAULT) <= 0) return false;
  }
  return object == "/" || H5Oexists_by_name(handle_->file, object.c_str(), H5P_DEFAULT) > 0;
}

bool H5File::is_group(const std::string& object) const {
  Locked library;
  if (!exists(object)) return false;
  Id opened(H5Oopen(handle_->file, object.c_str(), H5P_DEFAULT), &H5Oclose);
  return H5Iget_type(opened) == H5I_GROUP;
}

std::vector<std::string> H5File::children(const std::string& group) const {
  Locked library;
  h5::Spot spot{handle_->path, group};
  Id opened(check(H5Gopen2(handle_->file, group.c_str(), H5P_DEFAULT), spot, "cannot open"),
            &H5Gclose);
  std::vector<std::string> names;
  auto append = [](hid_t, const char* name, const H5L_info_t*, void* into) -> herr_t {
    static_cast<std::vector<std::string>*>(into)->emplace_back(name);
    return 0;
  };
  check(H5Literate(opened, H5_INDEX_NAME, H5_ITER_INC, nullptr, append, &names), spot,
        "cannot list");
  std::sort(names.begin(), names.end());
  return names;
}

void H5File::make_group(const std::string& group) {
  Locked library;
  if (is_group(group)) return;
  Id parents(H5Pcreate(H5P_LINK_CREATE), &H5Pclose);
  H5Pset_create_intermediate_group(parents, 1);
  Id made(check(H5Gcreate2(handle_->file, group.c_str(), parents, H5P_DEFAULT, H5P_DEFAULT),
                {handle_->path, group}, "cannot make the group", Exit::kIo),
          &H5Gclose);
}

void H5File::flush() {
  Locked library;
  check(H5Fflush(handle_->file, H5F_SCOPE_GLOBAL), {handle_->path, {}}, "cannot write", Exit::kIo);
}

void H5File::close() {
  Locked library;
  if (handle_->file < 0) return;
  // Flushed first: a close that fails half-way leaves the library in a state of its own.
  flush();
  check(H5Fclose(handle_->file.release()), {handle_->path, {}}, "cannot close", Exit::kIo);
}

}  // namespace cellmill::io
