#include "infer/result_file.h"

#include <unistd.h>

#include <array>
#include <filesystem>

#include "base/error.h"

namespace cellmill::infer {
namespace {

namespace fs = std::filesystem;

struct Format {
  const char* suffix;
  std::unique_ptr<ResultFile> (*make)(const std::string&, ResultLayout);
};
constexpr std::array<Format, 3> kFormats{
    {{".h5ad", make_h5ad_result}, {".npz", make_npz_result}, {".csv", make_csv_result}}};

const Format& format_of(const std::string& path) {
  for (const Format& format : kFormats)
    if (fs::path(path).extension() == format.suffix) return format;
  throw UsageError("cannot write " + path + ": its suffix names no format that I know",
                   "known: .h5ad, .npz, .csv");
}

}  // namespace

void check_result_path(const std::string& path) {
  format_of(path);
  check_result_folder(path);
}

void check_result_folder(const std::string& path) {
  fs::path folder = fs::path(path).parent_path();
  if (folder.empty()) folder = ".";
  if (!fs::is_directory(folder))
    throw DataError({folder.string(), {}, "a folder for " + path, {}}, "is not there",
                    "mkdir -p " + folder.string(), Exit::kNoInput);
  if (fs::is_directory(path))
    throw DataError({path, {}, "a file name", "a folder"}, "cannot be written", {}, Exit::kIo);
  if (::access(folder.c_str(), W_OK) != 0)
    throw DataError({folder.string(), {}, {}, {}}, "I may not write there", {}, Exit::kIo);
}

std::unique_ptr<ResultFile> make_result_file(const std::string& path, ResultLayout layout) {
  check_result_path(path);
  return format_of(path).make(path, std::move(layout));
}

}  // namespace cellmill::infer
