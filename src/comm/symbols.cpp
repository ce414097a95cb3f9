#include "comm/symbols.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>

#include "base/format.h"

namespace cellmill::comm {
namespace {

constexpr std::size_t kLongest = 200;  // of a name with template arguments

std::string demangled(const char* name) {
  int status = 0;
  char* text = abi::__cxa_demangle(name, nullptr, nullptr, &status);
  std::string plain = status == 0 ? text : name;
  std::free(text);
  return plain.size() <= kLongest ? plain : plain.substr(0, kLongest) + "...";
}

/// The symbol table of the running program, in memory while it lives.
class ProgramTable {
 public:
  ProgramTable() {
    const int file = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct stat about {};
    if (file >= 0 && fstat(file, &about) == 0) {
      size_ = static_cast<std::size_t>(about.st_size);
      void* mapped = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
      if (mapped != MAP_FAILED) bytes_ = static_cast<const char*>(mapped);
    }
    if (file >= 0) ::close(file);
  }
  ~ProgramTable() {
    if (bytes_) munmap(const_cast<char*>(bytes_), size_);
  }
  ProgramTable(const ProgramTable&) = delete;

  /// The mangled name of the function that holds `offset` of the loaded program, and its start.
  const char* find(std::uintptr_t offset, std::uintptr_t& begin) const {
    const auto* header = at<ElfW(Ehdr)>(0);
    if (!header) return nullptr;
    const auto* sections = at<ElfW(Shdr)>(header->e_shoff, header->e_shnum);
    for (int k = 0; sections && k < header->e_shnum; ++k) {
      if (sections[k].sh_type != SHT_SYMTAB || sections[k].sh_link >= header->e_shnum) continue;
      const auto count = sections[k].sh_size / sizeof(ElfW(Sym));
      const auto* symbols = at<ElfW(Sym)>(sections[k].sh_offset, count);
      for (std::size_t i = 0; symbols && i < count; ++i) {
        const auto& s = symbols[i];
        if (ELF64_ST_TYPE(s.st_info) != STT_FUNC || offset < s.st_value ||
            offset >= s.st_value + s.st_size)
          continue;
        begin = s.st_value;
        return at<char>(sections[sections[k].sh_link].sh_offset + s.st_name);
      }
    }
    return nullptr;
  }

 private:
  template <class T>
  const T* at(std::size_t place, std::size_t count = 1) const {
    return bytes_ && place <= size_ && count <= (size_ - place) / sizeof(T)
               ? reinterpret_cast<const T*>(bytes_ + place)
               : nullptr;
  }
  const char* bytes_ = nullptr;
  std::size_t size_ = 0;
};

std::string name_of(void* address, const ProgramTable& program) {
  const auto place = reinterpret_cast<std::uintptr_t>(address) - 1;  // the call, not what follows
  Dl_info found{};
  link_map* map = nullptr;
  if (!dladdr1(reinterpret_cast<void*>(place), &found, reinterpret_cast<void**>(&map),
               RTLD_DL_LINKMAP) ||
      !map)
    return fmt::format("{}", address);
  const bool own = map->l_name[0] == '\0';
  const char* name = found.dli_sname;
  auto begin = reinterpret_cast<std::uintptr_t>(found.dli_saddr) - map->l_addr;
  if (!name && own) name = program.find(place - map->l_addr, begin);
  std::error_code ignored;
  const std::filesystem::path file =
      own ? std::filesystem::read_symlink("/proc/self/exe", ignored) : found.dli_fname;
  const auto offset = place + 1 - map->l_addr;
  return name ? fmt::format("{}+{:#x} in {}", demangled(name), offset - begin,
                            file.filename().string())
              : fmt::format("{}+{:#x}", file.filename().string(), offset);
}

}  // namespace

std::vector<std::string> named(const std::vector<void*>& addresses) {
  std::vector<std::string> names;
  if (addresses.empty()) return names;
  const ProgramTable program;
  for (void* address : addresses) names.push_back(name_of(address, program));
  return names;
}

}  // namespace cellmill::comm
