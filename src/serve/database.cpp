#include "serve/database.h"

#include <sqlite3.h>

#include "base/error.h"

namespace cellmill::serve {

void Database::Close::operator()(sqlite3* handle) const { sqlite3_close(handle); }
void Statement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Database::Database(const std::filesystem::path& path) : path_(path) {
  sqlite3* handle = nullptr;
  const int result =
      sqlite3_open_v2(path.c_str(), &handle,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  handle_.reset(handle);
  if (result != SQLITE_OK) fail("open it");
  execute(
      "PRAGMA locking_mode=EXCLUSIVE; PRAGMA page_size=65536; PRAGMA journal_mode=WAL;"
      "PRAGMA synchronous=FULL; PRAGMA journal_size_limit=67108864; PRAGMA cache_size=-65536;"
      "PRAGMA wal_autocheckpoint=1000; BEGIN IMMEDIATE; COMMIT");
}

void Database::execute(const char* statements) {
  if (sqlite3_exec(handle_.get(), statements, nullptr, nullptr, nullptr) != SQLITE_OK)
    fail("write it");
}

void Database::fail(const char* doing) const {
  const int code = handle_ ? sqlite3_errcode(handle_.get()) : SQLITE_NOMEM;
  const std::string words = handle_ ? sqlite3_errmsg(handle_.get()) : "out of memory";
  const bool wrong = code == SQLITE_NOTADB || code == SQLITE_CORRUPT;
  throw DataError({path_.string(), "", "", ""}, std::string("cannot ") + doing + ": " + words,
                  code == SQLITE_BUSY
                      ? "another server has it open: stop that, or name another folder"
                  : wrong ? "move it away: a new one is made"
                          : "",
                  wrong ? Exit::kData : Exit::kIo);
}

Statement::Statement(Database& database, const char* text) : database_(database) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(database.handle(), text, -1, &statement, nullptr) != SQLITE_OK)
    database.fail("read it");
  statement_.reset(statement);
}

Statement& Statement::bind(std::int64_t value) {
  if (sqlite3_bind_int64(statement_.get(), ++bound_, value) != SQLITE_OK)
    database_.fail("write it");
  return *this;
}

Statement& Statement::bind(std::string_view blob) {
  if (sqlite3_bind_blob64(statement_.get(), ++bound_, blob.data(), blob.size(), SQLITE_STATIC) !=
      SQLITE_OK)
    database_.fail("write it");
  return *this;
}

Statement& Statement::bind_nothing() {
  if (sqlite3_bind_null(statement_.get(), ++bound_) != SQLITE_OK) database_.fail("write it");
  return *this;
}

bool Statement::step() {
  const int result = sqlite3_step(statement_.get());
  if (result != SQLITE_ROW && result != SQLITE_DONE) database_.fail("write it");
  return result == SQLITE_ROW;
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}
bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

std::string Statement::bytes(int column) const {
  const void* data = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return data ? std::string(static_cast<const char*>(data), static_cast<std::size_t>(size))
              : std::string();
}

}  // namespace cellmill::serve
