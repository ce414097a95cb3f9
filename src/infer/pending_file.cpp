#include "infer/pending_file.h"

#include <unistd.h>

#include "base/error.h"
#include "io/files.h"

namespace cellmill::infer {

namespace fs = std::filesystem;

PendingFile::PendingFile(fs::path target) : target_(std::move(target)) {
  temporary_ = target_.parent_path() /
               ("." + target_.filename().string() + ".writing-" + std::to_string(::getpid()));
}

PendingFile::~PendingFile() {
  std::error_code ignored;
  if (!temporary_.empty()) fs::remove(temporary_, ignored);
}

void PendingFile::publish() {
  io::sync_file(temporary_);
  std::error_code failed;
  fs::rename(temporary_, target_, failed);
  if (failed)
    throw DataError({target_.string(), {}, {}, failed.message()}, "cannot be written", {},
                    Exit::kIo);
  temporary_.clear();
  io::sync_folder(target_.has_parent_path() ? target_.parent_path() : fs::path("."));
}

}  // namespace cellmill::infer
