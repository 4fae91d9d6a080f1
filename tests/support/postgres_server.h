// A PostgreSQL server of the test program's own: on a Unix socket in a folder of its own, from Debian's packages, ended
// with its owner. It refuses to run as root, and then runs as another user. Where the package is missing there is none.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/temp_dir.h"

namespace kleptometrics::tests {

// One thread at a time.
class PostgresServer {
 public:
  struct Options {
    bool durable = false;                 // else what is committed may go with the machine, and everything is quicker
    std::vector<std::string> settings{};  // `name=value`, as in postgresql.conf
    std::string standby_of{};             // socket folder of the server that this one is a copy of and follows
    std::string name = "klepto";          // by which a standby is known to the one that it follows
  };

  // Folder of initdb and postgres of the newest version; empty where there is none.
  static std::string programs();
  // The one that tests share which need no other; null where there is none, which is said once on stderr.
  static PostgresServer* shared();

  // Started. Throws std::runtime_error.
  explicit PostgresServer(Options options);
  PostgresServer() : PostgresServer(Options()) {}
  ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  // Of a database that was just made.
  std::string fresh_url();
  std::string url(const std::string& database) const;
  const std::string& socket_folder() const { return folder_.path(); }
  // kill -9 of the server and all of its processes; its data stay.
  void kill();
  // After a kill, on the same data. Returns when it takes connections.
  void start();
  // A standby takes writes from now on. Returns when it does.
  void promote();
  // What psql prints of the statements in a database, without the last line break. Throws where it fails.
  std::string psql(const std::string& database, const std::string& sql) const;

 private:
  void make_data();
  void wait_until_ready();

  TempDir folder_;
  const Options options_;
  const std::string data_ = folder_ / "data";
  pid_t pid_ = -1;
  const pid_t owner_ = ::getpid();
  int databases_ = 0;
};

}  // namespace kleptometrics::tests
