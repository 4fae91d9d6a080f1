// A connection to the server and what is said over it: statements, prepared when they are first used, many of them in
// one round trip. Every wait for the server ends. One thread at a time; ended when it goes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "aggregator/store/postgres/target.h"
#include "aggregator/store/postgres/values.h"
#include "lib/base/clock.h"
#include "lib/base/uuid.h"

struct pg_conn;
struct pg_result;

namespace kleptometrics::aggregator::postgres {

// What a statement answered. Columns by number, from 0; texts and bytes live as long as this.
class Rows {
 public:
  explicit Rows(pg_result* result);
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  bool null(std::size_t row, int column) const;
  std::int64_t integer(std::size_t row, int column) const;  // of bool, too; 0 for NULL
  std::string_view bytes(std::size_t row, int column) const;
  Uuid uuid(std::size_t row, int column) const;
  std::uint64_t affected() const;  // rows, by an INSERT, UPDATE or DELETE

 private:
  struct Clear {
    void operator()(pg_result* result) const;
  };
  std::unique_ptr<pg_result, Clear> result_;
  std::size_t size_;
};

struct Statement {
  std::string_view sql;
  Values values{};
};
// Ends a transaction as the last of a round trip: an error unless everything is committed, on a synchronous standby
// too where there is to be one.
inline constexpr std::string_view kCommit = "COMMIT";

class Connection {
 public:
  // Connected, with the settings that this room's statements count on.
  static absl::StatusOr<Connection> open(const Target& target);
  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;
  ~Connection();

  // One statement. Prepared; so texts are to be few.
  absl::StatusOr<Rows> query(std::string_view sql, Values values = {});
  // Several, in one round trip, each behind the one before. The first error is the answer: those behind it were not
  // executed, those before it were.
  absl::StatusOr<std::vector<Rows>> query_all(const std::vector<Statement>& statements);
  // Any number of statements without parameters, as one text.
  absl::Status run(const std::string& sql);
  // COPY … FROM STDIN of all of `data`.
  absl::Status copy(const std::string& sql, std::string_view data);

  // Ends a transaction that was left open. What cannot be ended is as good as broken.
  void roll_back();
  // False if it is broken, as far as that is known without asking the server.
  bool alive();
  // As alive(), and nothing is left to be ended.
  bool clean();

 private:
  struct Finish {
    void operator()(pg_conn* connection) const;
  };
  struct Notices;
  using Handle = std::unique_ptr<pg_conn, Finish>;
  using Result = std::unique_ptr<pg_result, void (*)(pg_result*)>;

  Connection(Handle handle, std::unique_ptr<Notices> notices);
  absl::Status set_up();
  struct Sent {
    bool prepares = false;
    std::string name;
  };
  absl::Status send(const Statement& statement, Sent& sent);
  absl::Status take(const Statement& statement, const Sent& sent, std::vector<Rows>& answers);
  absl::Status end_pipeline(absl::Status status);
  absl::Status flush(Nanos deadline);
  absl::Status wait(Nanos deadline, bool writable);
  // nullptr: there is no more of the last statement. An error: the connection is broken.
  absl::StatusOr<Result> next_result();
  absl::Status broken(const absl::Status& cause);
  absl::Status lost() const;

  Handle handle_;
  std::unique_ptr<Notices> notices_;
  std::map<std::string, std::string, std::less<>> prepared_;  // name by text
};

}  // namespace kleptometrics::aggregator::postgres
