#include "tests/support/store_under_test.h"

#include <cstdlib>
#include <iostream>
#include <stdexcept>

#include "tests/support/postgres_server.h"
#include "tests/support/redis_server.h"

namespace kleptometrics::tests {
namespace {

std::string asked() {
  const char* const name = std::getenv("KLEPTO_TEST_STORE");
  return name == nullptr || *name == '\0' ? "sqlite" : name;
}

template <typename Server>
std::string fresh_url_of(const char* package) {
  Server* const server = Server::shared();
  if (server != nullptr) return server->fresh_url();
  std::cout << "SKIPPED: " << package << " is not installed" << std::endl;
  std::exit(0);
}

}  // namespace

std::string fresh_store_url(const std::string& folder) {
  const std::string name = asked();
  if (name == "sqlite") return "sqlite:" + folder + "/runs.db";
  if (name == "postgresql") return fresh_url_of<PostgresServer>("postgresql-15");
  if (name == "redis") return fresh_url_of<RedisServer>("redis-server");
  throw std::runtime_error("KLEPTO_TEST_STORE is none of sqlite, postgresql, redis: " + name);
}

}  // namespace kleptometrics::tests
