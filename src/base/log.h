#pragma once
// What the program says. Rank 0 speaks on the console (stderr); every rank writes log/rank-N.log
// once a file is set. Lines are "time level [rank] text". Results that a user pipes (tables, JSON)
// go to stdout through `say`, never through the log.
#include <string>
#include <string_view>

#include "base/format.h"

namespace cellmill::log {

enum class Level { kDebug, kInfo, kWarn, kError };

/// Call once a process, when the rank is known. Before it, lines go to stderr without a rank.
void start(int rank);
/// Adds `path` (created, appended to) as a destination of every line; the first such file also gets
/// the last 200 lines from before. Throws DataError (74).
void also_to(const std::string& path);
/// Lines below `level` are dropped on the console.
void set_console_level(Level level);
/// Whether info lines reach the console: on rank 0, unless it was made quieter.
bool speaks();
/// A line that stays at the bottom of the terminal while others scroll above it; "" takes it away.
void status(std::string_view text);
/// Any thread.
void write(Level level, std::string_view text);
void flush();
/// Why the program ends: as it is on the console of every rank, as an error line in the files.
void last_words(std::string_view text);

template <class... A>
void debug(fmt::format_string<A...> f, A&&... a) {
  write(Level::kDebug, fmt::format(f, std::forward<A>(a)...));
}
template <class... A>
void info(fmt::format_string<A...> f, A&&... a) {
  write(Level::kInfo, fmt::format(f, std::forward<A>(a)...));
}
template <class... A>
void warn(fmt::format_string<A...> f, A&&... a) {
  write(Level::kWarn, fmt::format(f, std::forward<A>(a)...));
}
template <class... A>
void error(fmt::format_string<A...> f, A&&... a) {
  write(Level::kError, fmt::format(f, std::forward<A>(a)...));
}

/// A line on stdout, as it is.
void say(std::string_view text);

}  // namespace cellmill::log
