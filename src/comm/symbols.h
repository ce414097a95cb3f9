#pragma once
// Names for return addresses: "cellmill::train::train(...)+0x1f in cellmill-cpu", demangled; of our
// own program also functions that are not exported, by its symbol table. What is not known stands
// as an offset into its file, for addr2line. Any thread.
#include <string>
#include <vector>

namespace cellmill::comm {

std::vector<std::string> named(const std::vector<void*>& addresses);

}  // namespace cellmill::comm
