// Where client and aggregator meet on one machine: sockets, state directory, spool. Both sides ask here, so that they
// cannot disagree. Environment variables are read with secure_getenv: a set-user-id program ignores them.
//
// User mode is an aggregator that a user runs for himself; system mode is one that root runs as a service.
#pragma once

#include <string>

namespace kleptometrics::places {

inline constexpr char kSystemSocket[] = "/run/kleptometrics/kleptometrics.sock";
inline constexpr char kSystemState[] = "/var/lib/kleptometrics";
inline constexpr char kSystemSpool[] = "/var/spool/kleptometrics";
inline constexpr char kDefaultListen[] = "127.0.0.1:9461";

// Value of an environment variable; empty if unset or not to be trusted.
std::string environment(const char* name);

// $XDG_STATE_HOME/kleptometrics, else ~/.local/state/kleptometrics; empty where there is no home.
std::string user_state_dir();
// $XDG_RUNTIME_DIR/kleptometrics/kleptometrics.sock, else kleptometrics.sock in the state directory; empty if neither.
std::string user_socket();
// `spool` in the user's state directory; empty where there is no home.
std::string user_spool_dir();
// The spool of one user in system mode: /var/spool/kleptometrics/<uid>.
std::string system_spool_dir(unsigned uid);

// Makes the directory and what is missing above it, 0700, and checks that it is a directory of ours (no symbolic link)
// to which no one else may write. Returns an empty string, or what is wrong with it.
std::string make_private_dir(const std::string& path);

}  // namespace kleptometrics::places
