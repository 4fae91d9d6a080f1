// A Redis server of the test program's own: on a Unix socket in a folder of its own, from the package redis-server,
// ended with its owner. Where the package is missing there is none, and programs() is empty.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/temp_dir.h"

namespace kleptometrics::tests {

// One thread at a time.
class RedisServer {
 public:
  // Path of redis-server; empty where there is none.
  static std::string program();
  // The one that tests share which need no other; null where there is none, which is said once on stderr.
  static RedisServer* shared();

  // Throws std::runtime_error if it does not start. `options` as on the command line, behind ours.
  explicit RedisServer(std::vector<std::string> options = {});
  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  // Of a store that nobody has used yet.
  std::string fresh_url();
  std::string url(const std::string& prefix) const;
  const std::string& socket() const { return socket_; }
  // kill -9; its data stay.
  void kill();
  // After a kill, on the same data. Returns when it answers.
  void start();
  // What redis-cli prints, without the last line break; empty where it fails.
  std::string cli(const std::string& arguments) const;

 private:
  TempDir folder_;
  const std::string socket_ = folder_ / "redis.sock";
  const std::vector<std::string> options_;
  pid_t pid_ = -1;
  int stores_ = 0;
};

}  // namespace kleptometrics::tests
