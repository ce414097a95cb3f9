#include "front/overview.h"

#include "front/command_list.h"

namespace cellmill::front {
namespace {

struct Entry {
  std::string heading, name, summary;
};

#define ENTRY(heading, name, summary) {heading, typed(#name), summary},
const Entry kEntries[] = {CELLMILL_COMMANDS(ENTRY) CELLMILL_PROGRAMS(ENTRY)};
#undef ENTRY

std::string padded(const std::string& name) {
  return name + std::string(name.size() < 18 ? 18 - name.size() : 0, ' ');
}

std::string overview() {
  std::string text =
      "cellmill trains models of gene expression, and answers questions with them.\n"
      "usage: cellmill COMMAND ...    (cellmill COMMAND --help tells its options)\n"
      "       mpirun -n N cellmill train ...    (one process a GPU or socket)\n";
  std::string heading;
  for (const Entry& entry : kEntries) {
    if (entry.heading != heading) text += "\n" + (heading = entry.heading) + "\n";
    text += "  " + padded(entry.name) + "  " + entry.summary + "\n";
  }
  text.pop_back();
  return text;
}

}  // namespace

std::string answer(const std::string& first) {
  if (first.empty() || first == "--help" || first == "-h" || first == "help") return overview();
  if (first == "--version") return "cellmill " CELLMILL_VERSION;
  return {};
}

}  // namespace cellmill::front
