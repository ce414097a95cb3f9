#include "io/files.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>

#include "base/error.h"

namespace cellmill::io {

namespace {

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

/// Not called after its target: TensorBoard takes any name with "tfevents" in it for a finished
/// file.
fs::path temporary_beside(const fs::path& target) {
  static std::atomic<unsigned> counter{0};
  char host[256] = "";
  ::gethostname(host, sizeof host - 1);
  for (;;) {
    fs::path candidate =
        folder_of(target) / (std::string(kUnfinished) + host + "-" + std::to_string(::getpid()) +
                             "-" + std::to_string(counter++));
    std::error_code ignored;
    if (!fs::exists(fs::symlink_status(candidate, ignored))) return candidate;
  }
}

void move_into_place(const fs::path& temporary, const fs::path& target) {
  if (std::rename(temporary.c_str(), target.c_str()) != 0)
    throw_system_error(target, "rename a finished file to it", errno);
  sync_folder(folder_of(target));
}

void sync_tree(const fs::path& folder) {
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_directory())
      sync_folder(entry.path());
    else if (entry.is_regular_file())
      sync_file(entry.path());
  }
  sync_folder(folder);
}

/// `fill`, then the rename. If anything throws, `temporary` goes, and an error speaks of `target`.
void publish(const fs::path& target, const fs::path& temporary,
             const std::function<void(const fs::path& temporary)>& fill) {
  auto remove = [&] {
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
  };
  try {
    fill(temporary);
    move_into_place(temporary, target);
  } catch (const fs::filesystem_error& error) {
    remove();
    throw_system_error(target, "write", error.code().value());
  } catch (const DataError& error) {
    remove();
    std::string text = error.what();
    std::size_t at = text.find(temporary.string());
    if (at == std::string::npos) throw;
    text.replace(at, temporary.string().size(), target.string());
    throw DataError({}, text, error.hint(), error.code());
  } catch (...) {
    remove();
    throw;
  }
}

}  // namespace

std::string read_text(const fs::path& path) {
  Descriptor file(path, Descriptor::Mode::kRead);
  std::string text(file.size(), '\0');
  text.resize(file.read_at(text.data(), text.size(), 0));
  for (char piece[4096];;) {  // /proc and pipes-to-be say size 0
    std::size_t n = file.read_at(piece, sizeof piece, text.size());
    if (n == 0) return text;
    text.append(piece, n);
  }
}

void publish_file(const fs::path& target,
                  const std::function<void(const fs::path& temporary)>& fill) {
  publish(target, temporary_beside(target), [&](const fs::path& temporary) {
    fill(temporary);
    sync_file(temporary);
  });
}

void write_text_atomically(const fs::path& path, std::string_view text) {
  publish(path, temporary_beside(path), [&](const fs::path& temporary) {
    Descriptor file(temporary, Descriptor::Mode::kCreateNew);
    file.write(text.data(), text.size());
    file.sync();
    file.close();
  });
}

void publish_folder(const fs::path& target,
                    const std::function<void(const fs::path& temporary)>& fill) {
  std::error_code ignored;
  if (fs::exists(fs::symlink_status(target, ignored)))
    throw DataError({target.string(), {}, {}, {}}, "exists already", "remove it, or choose another",
                    Exit::kIo);
  publish(target, temporary_beside(target), [&](const fs::path& temporary) {
    fs::create_directory(temporary);
    fill(temporary);
    sync_tree(temporary);
  });
}

void remove_unfinished(const fs::path& folder) {
  std::vector<fs::path> leftovers;
  std::error_code failed;
  for (fs::directory_iterator it(folder, failed), end; !failed && it != end; it.increment(failed))
    if (it->path().filename().string().starts_with(kUnfinished)) leftovers.push_back(it->path());
  if (failed) throw_system_error(folder, "list", failed.value());
  for (const fs::path& path : leftovers) {
    fs::remove_all(path, failed);
    if (failed) throw_system_error(path, "delete", failed.value());
  }
}

void sync_file(const fs::path& path) { Descriptor(path, Descriptor::Mode::kRead).sync(); }

void sync_folder(const fs::path& path) {
  int number = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (number < 0) throw_system_error(path, "open", errno);
  int code = ::fsync(number) == 0 ? 0 : errno;
  ::close(number);
  // Some network file systems know no fsync of a folder.
  if (code != 0 && code != EINVAL && code != ENOTSUP) throw_system_error(path, "sync", code);
}

std::uint64_t free_bytes(const fs::path& path) {
  struct statvfs status {};
  if (::statvfs(path.c_str(), &status) != 0) throw_system_error(path, "ask free space of", errno);
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

LineFile::LineFile(const fs::path& path) : file_(path, Descriptor::Mode::kAppend) {}

void LineFile::append(std::string_view line) {
  unwritten_.append(line) += '\n';
  write_out();
}

void LineFile::sync() {
  write_out();
  file_.sync();
}

void LineFile::write_out() {
  file_.write_whole(unwritten_.data(), unwritten_.size());
  unwritten_.clear();
}

void LineFile::filter(const fs::path& path,
                      const std::function<bool(std::string_view line)>& keep) {
  if (!fs::exists(path)) return;
  std::string text = read_text(path), kept;
  std::string_view rest = text;
  for (std::size_t end; (end = rest.find('\n')) != std::string_view::npos;
       rest.remove_prefix(end + 1))
    if (keep(rest.substr(0, end))) kept += rest.substr(0, end + 1);
  if (kept != text) write_text_atomically(path, kept);
}

}  // namespace cellmill::io
