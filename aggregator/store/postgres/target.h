// Where the database is: a connection URI, checked once, and what libpq is told beside it. A password in it is known to
// libpq alone: nothing here ever gives it out. Immutable; any thread.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

struct pg_conn;

namespace kleptometrics::aggregator::postgres {

class Target {
 public:
  // InvalidArgument says what is wrong without repeating what the URL holds.
  static absl::StatusOr<Target> parse(std::string_view url);

  // For errors and the log: hosts, ports and the database.
  const std::string& name() const { return name_; }
  // Tries host by host, and waits for each at most as long as the URL says, or 5 seconds. The caller finishes it.
  pg_conn* connect() const;

 private:
  std::string url_;
  std::string name_;
};

}  // namespace kleptometrics::aggregator::postgres
