#include "lib/base/places.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace kleptometrics::places {
namespace {

std::string home_dir() {
  if (std::string home = environment("HOME"); !home.empty()) return home;
  std::vector<char> buffer(4096);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) return {};
  return entry.pw_dir == nullptr ? std::string() : std::string(entry.pw_dir);
}

std::string problem(const std::string& path, const char* what) { return path + ": " + what; }

}  // namespace

std::string environment(const char* name) {
  const char* value = ::secure_getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::string user_state_dir() {
  if (std::string state = environment("XDG_STATE_HOME"); !state.empty()) return state + "/kleptometrics";
  std::string home = home_dir();
  return home.empty() ? home : home + "/.local/state/kleptometrics";
}

std::string user_socket() {
  if (std::string runtime = environment("XDG_RUNTIME_DIR"); !runtime.empty())
    return runtime + "/kleptometrics/kleptometrics.sock";
  std::string state = user_state_dir();
  return state.empty() ? state : state + "/kleptometrics.sock";
}

std::string user_spool_dir() {
  std::string state = user_state_dir();
  return state.empty() ? state : state + "/spool";
}

std::string system_spool_dir(unsigned uid) { return std::string(kSystemSpool) + "/" + std::to_string(uid); }

std::string make_private_dir(const std::string& path) {
  if (path.empty()) return "no directory is known: neither HOME nor XDG_STATE_HOME is set";
  for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1))
    ::mkdir(path.substr(0, at).c_str(), 0700);  // what exists, or cannot be made, shows below
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return problem(path, std::strerror(errno));
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return problem(path, std::strerror(errno));
  if (!S_ISDIR(info.st_mode)) return problem(path, "is not a directory");
  if (info.st_uid != ::geteuid()) return problem(path, "belongs to another user");
  if ((info.st_mode & 0022U) != 0) return problem(path, "other users may write to it; its mode should be 0700");
  return {};
}

}  // namespace kleptometrics::places
