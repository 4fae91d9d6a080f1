#include "aggregator/store/sqlite/connection.h"

#include <utility>

#include "aggregator/store/sqlite/status.h"

namespace kleptometrics::aggregator::sqlite {
namespace {

constexpr int kBusyMillis = 2000;

// Empty texts need an address, or they would be bound as NULL.
const char* address_of(std::string_view value) { return value.empty() ? "" : value.data(); }

}  // namespace

Execution::~Execution() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

void Execution::check(int code) {
  if (code != SQLITE_OK && status_.ok()) {
    sqlite3* const db = sqlite3_db_handle(statement_);
    status_ = status_of(sqlite3_extended_errcode(db), db, "");
    corrupt_ = (sqlite3_extended_errcode(db) & 0xff) == SQLITE_CORRUPT;
  }
}

Execution& Execution::bind(int at, std::int64_t value) {
  if (statement_ == nullptr) return *this;
  check(sqlite3_bind_int64(statement_, at, value));
  return *this;
}

Execution& Execution::bind_text(int at, std::string_view value) {
  if (statement_ == nullptr) return *this;
  check(sqlite3_bind_text(statement_, at, address_of(value), static_cast<int>(value.size()), SQLITE_STATIC));
  return *this;
}

Execution& Execution::bind_blob(int at, std::string_view value) {
  if (statement_ == nullptr) return *this;
  check(sqlite3_bind_blob(statement_, at, address_of(value), static_cast<int>(value.size()), SQLITE_STATIC));
  return *this;
}

bool Execution::next() {
  if (!status_.ok()) return false;
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) check(code);
  return false;
}

absl::Status Execution::run() {
  while (next()) {
  }
  return status_;
}

std::int64_t Execution::integer(int column) const { return sqlite3_column_int64(statement_, column); }

std::string_view Execution::blob(int column) const {
  const void* const data = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  if (data == nullptr) return {};
  return {static_cast<const char*>(data), static_cast<std::size_t>(size)};
}

absl::StatusOr<Connection> Connection::open(const std::string& path, int flags, const std::string& vfs) {
  sqlite3* db = nullptr;
  // `./` keeps a name such as `:memory:` or `file:x?mode=…` from meaning more than a file.
  const std::string name = path.starts_with('/') ? path : "./" + path;
  const int code = sqlite3_open_v2(name.c_str(), &db, flags | SQLITE_OPEN_NOMUTEX, vfs.empty() ? nullptr : vfs.c_str());
  Connection connection(db);  // to be closed even if opening failed
  if (code != SQLITE_OK) return status_of(db == nullptr ? code : sqlite3_extended_errcode(db), db, "");
  sqlite3_extended_result_codes(db, 1);
  sqlite3_busy_timeout(db, kBusyMillis);
  return connection;
}

absl::Status Connection::exec(const char* sql) {
  const int code = sqlite3_exec(raw(), sql, nullptr, nullptr, nullptr);
  return status_of(code, raw(), "");
}

absl::StatusOr<sqlite3_stmt*> Connection::prepare(std::string_view sql) {
  if (const auto known = statements_.find(sql); known != statements_.end()) return known->second.get();
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(raw(), sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                                      &statement, nullptr);
  if (code != SQLITE_OK) return status_of(code, raw(), "");
  statements_.emplace(sql, statement);
  return statement;
}

absl::StatusOr<std::string> Connection::value(std::string_view sql) {
  const auto statement = prepare(sql);
  if (!statement.ok()) return statement.status();
  Execution query(*statement);
  if (!query.next() && query.status().ok()) return absl::InternalError("a query that must have a row has none");
  std::string first(query.text(0));
  // To its end: a pragma that changes the file commits only behind its row.
  if (absl::Status status = query.run(); !status.ok()) return status;
  return first;
}

}  // namespace kleptometrics::aggregator::sqlite
