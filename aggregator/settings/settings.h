// What kleptometricsd is told on its command line, and where its things lie where it is told nothing. Read once, at the
// start, by main; what else has a setting gets it from there.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "aggregator/watch/spool_watcher.h"

namespace kleptometrics::aggregator {

// --help says what each is.
struct Settings {
  std::string listen, socket, store, spool_dir, ready_file, backup;
  bool verify_store = false;
  std::string forward{};
  std::string api_key_file{}, new_api_key{}, tls_certificate{}, tls_key{};
  std::vector<std::string> allowed_hosts{};
  WatchOptions watch{};
  mode_t socket_mode = 0600;
};

// InvalidArgument names what cannot be meant. A flag that is unknown, --help and --version end the process.
absl::StatusOr<Settings> read_settings(int argc, char** argv);

// Puts places where `auto` stands, and makes the folders that are needed for them.
absl::Status resolve_places(Settings& settings);

// For the log: of the URL of a server neither whom to log in as, with what password, nor any parameter.
std::string shown(const std::string& store);

}  // namespace kleptometrics::aggregator
