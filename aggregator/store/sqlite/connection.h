// SQLite's C interface as two RAII types: a connection and its prepared statements. Everything is bound,
// nothing is pasted into SQL. One thread at a time for a connection and all that came from it.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kleptometrics::aggregator::sqlite {

// One execution of a prepared statement; ends, and lets go of its view of the database, with its scope. Texts
// and blobs that are bound must live as long.
class [[nodiscard]] Execution {
 public:
  explicit Execution(sqlite3_stmt* statement) : statement_(statement) {}
  // Of Connection::prepare; its error becomes status().
  explicit Execution(const absl::StatusOr<sqlite3_stmt*>& statement)
      : statement_(statement.ok() ? *statement : nullptr), status_(statement.status()) {}
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;
  ~Execution();

  // Parameters from 1.
  Execution& bind(int at, std::int64_t value);
  Execution& bind_text(int at, std::string_view value);
  Execution& bind_blob(int at, std::string_view value);
  // All parameters in order: numbers, and texts that are bound as blobs.
  template <typename... Values>
  Execution& with(const Values&... values) {
    int at = 0;
    (bind_next(++at, values), ...);
    return *this;
  }

  // True: a row is there. False: the end, or an error, which status() then holds.
  bool next();
  // Runs a statement that has no rows.
  absl::Status run();
  const absl::Status& status() const { return status_; }
  // The error is that the file is damaged, not that it cannot be read.
  bool corrupt() const { return corrupt_; }

  // Columns from 0; valid until the next call of next().
  std::int64_t integer(int column) const;
  std::string_view blob(int column) const;
  std::string_view text(int column) const { return blob(column); }

 private:
  void check(int code);
  void bind_next(int at, std::int64_t value) { bind(at, value); }
  void bind_next(int at, std::string_view value) { bind_blob(at, value); }

  sqlite3_stmt* statement_;
  absl::Status status_;
  bool corrupt_ = false;
};

class Connection {
 public:
  // `flags` as of sqlite3_open_v2.
  static absl::StatusOr<Connection> open(const std::string& path, int flags, const std::string& vfs);

  // Runs statements without parameters, ignoring rows.
  absl::Status exec(const char* sql);
  // Runs one statement that has no rows, with its parameters in order.
  template <typename... Values>
  absl::Status run(std::string_view sql, const Values&... values) {
    return Execution(prepare(sql)).with(values...).run();
  }
  // The statement, prepared once and kept: for a bounded set of texts. Not to be executed again while an
  // Execution of it lives.
  absl::StatusOr<sqlite3_stmt*> prepare(std::string_view sql);
  // The only value of a query without parameters.
  absl::StatusOr<std::string> value(std::string_view sql);

  sqlite3* raw() { return db_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };

  explicit Connection(sqlite3* db) : db_(db) {}

  std::unique_ptr<sqlite3, Close> db_;  // closed after its statements
  std::map<std::string, std::unique_ptr<sqlite3_stmt, Finalize>, std::less<>> statements_;
};

}  // namespace kleptometrics::aggregator::sqlite
