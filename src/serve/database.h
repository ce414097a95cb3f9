#pragma once
// An SQLite database and its statements, closed by themselves. What SQLite refuses is a DataError
// with its own words: 74 for the disk, 65 for a file that is no such database. One thread at a
// time.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace cellmill::serve {

class Database {
 public:
  /// Opened or made. No other process may have it open.
  explicit Database(const std::filesystem::path& path);
  /// Statements without a result.
  void execute(const char* statements);
  [[noreturn]] void fail(const char* doing) const;
  sqlite3* handle() const { return handle_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* handle) const;
  };
  std::filesystem::path path_;
  std::unique_ptr<sqlite3, Close> handle_;
};

/// One run of a statement: bound in order, then stepped over its rows. Texts and blobs that are
/// bound must live until its end.
class Statement {
 public:
  Statement(Database& database, const char* text);
  Statement& bind(std::int64_t value);
  Statement& bind(std::string_view blob);
  Statement& bind_nothing();
  /// False after the last row.
  bool step();
  void run() {
    while (step()) {
    }
  }
  std::int64_t integer(int column) const;
  std::string bytes(int column) const;  ///< "" for NULL
  bool is_null(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  Database& database_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int bound_ = 0;
};

}  // namespace cellmill::serve
