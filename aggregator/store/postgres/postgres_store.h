// Runs in a PostgreSQL database that several aggregators may share: opened by aggregator/store/open_store.cc, used as a
// Store. README.md beside tells how rows get where. In a build without libpq the same function says so.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "aggregator/store/store.h"

namespace kleptometrics::aggregator {

// Defaults are for use; tests make them small.
struct PostgresOptions {
  bool must_exist = false;  // the tables: else they are made
  // Moved into rollups in one transaction, by a thread of the store that begins when so many wait, or a second or two
  // later.
  std::size_t settle_runs = 131'072;
  // Without that thread: commits of this store settle as soon as so many wait, and maintain() when idle.
  bool settle_at_once = false;
  std::size_t readers = 8;  // connections for questions, made when they are first needed
};

// `url` is all of what --store was given, a connection URI of libpq: several hosts, sslmode and the like are libpq's,
// and so are its environment variables. Unless it says otherwise only a server that takes writes is connected to, and
// no host is waited for longer than 5 seconds. InvalidArgument: the URL cannot be read (what it holds is not repeated:
// there may be a password in it); Unavailable: no server answers; PermissionDenied: it does not let us in;
// FailedPrecondition: the tables are newer than this build, or the server older than it needs; NotFound: `must_exist`,
// and there are no tables.
absl::StatusOr<std::unique_ptr<Store>> open_postgres(std::string_view url, const PostgresOptions& options = {});

}  // namespace kleptometrics::aggregator
