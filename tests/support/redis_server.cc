#include "tests/support/redis_server.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string_view>

namespace kleptometrics::tests {
namespace {

constexpr int kStartMillisMax = 30'000;

// Sends PING, and returns true where PONG comes back, or that a password is wanted.
bool answers(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  std::array<char, 64> said{};
  const bool fine = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                    ::send(fd, "PING\r\n", 6, MSG_NOSIGNAL) == 6 && ::recv(fd, said.data(), said.size(), 0) > 0;
  ::close(fd);
  const std::string_view text(said.data());
  return fine && (text.starts_with("+PONG") || text.starts_with("-NOAUTH"));
}

}  // namespace

std::string RedisServer::program() {
  for (const char* const path : {"/usr/bin/redis-server", "/usr/local/bin/redis-server"})
    if (::access(path, X_OK) == 0) return path;
  return "";
}

RedisServer* RedisServer::shared() {
  static const std::unique_ptr<RedisServer> server = []() -> std::unique_ptr<RedisServer> {
    if (!program().empty())
      return std::make_unique<RedisServer>(std::vector<std::string>{"--appendonly", "yes", "--appendfsync", "always"});
    std::fprintf(stderr, "no redis-server here (package redis-server): nothing is tested on Redis\n");
    return nullptr;
  }();
  return server.get();
}

RedisServer::RedisServer(std::vector<std::string> options) : options_(std::move(options)) { start(); }

RedisServer::~RedisServer() { kill(); }

void RedisServer::kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void RedisServer::start() {
  ::unlink(socket_.c_str());
  std::vector<std::string> words = {program(),      "--port", "0", "--unixsocket", socket_, "--dir",
                                    folder_.path(), "--save", "",  "--daemonize",  "no",    "--logfile",
                                    folder_ / "log"};
  words.insert(words.end(), options_.begin(), options_.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("cannot fork");
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // it ends with the test program, however that ends
    if (::getppid() != parent) ::_exit(127);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  for (int waited = 0; waited < kStartMillisMax; waited += 5) {
    if (answers(socket_)) return;
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      break;
    }
    ::poll(nullptr, 0, 5);  // its socket is not there yet
  }
  kill();
  throw std::runtime_error("redis-server did not start; see " + (folder_ / "log"));
}

std::string RedisServer::url(const std::string& prefix) const {
  return "redis+unix://" + socket_ + "?prefix=" + prefix;
}

std::string RedisServer::fresh_url() { return url("test" + std::to_string(++stores_) + ":"); }

std::string RedisServer::cli(const std::string& arguments) const {
  std::FILE* const pipe = ::popen(("redis-cli -s " + socket_ + " " + arguments + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return "";
  std::string said;
  std::array<char, 4096> buffer{};
  for (std::size_t got = 0; (got = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
    said.append(buffer.data(), got);
  if (::pclose(pipe) != 0) return "";
  if (said.ends_with('\n')) said.pop_back();
  return said;
}

}  // namespace kleptometrics::tests
