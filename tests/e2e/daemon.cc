#include "tests/e2e/daemon.h"

#include <fcntl.h>
#include <httplib.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "tests/support/store_under_test.h"

namespace kleptometrics::tests {

void Daemon::pause() { std::this_thread::sleep_for(std::chrono::milliseconds(20)); }

std::string read_file(const std::string& path) {
  const std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

pid_t start_program(const std::vector<std::string>& command, const std::vector<std::string>& environment,
                    const std::string& log) {
  // Before the fork: other threads may hold what allocating needs.
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const pid_t child = ::fork();
  if (child != 0) return child;
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(out, STDERR_FILENO);
  for (const std::string& entry : environment) ::putenv(const_cast<char*>(entry.c_str()));
  ::execvp(arguments[0], arguments.data());
  ::_exit(127);
}

int wait_for(pid_t pid, int seconds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  int status = 0;
  for (;;) {
    const pid_t ended = ::waitpid(pid, &status, WNOHANG);
    if (ended == pid) return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (std::chrono::steady_clock::now() >= deadline) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ::kill(pid, SIGKILL);
  ::waitpid(pid, &status, 0);
  return -1;
}

Ended run_program(const std::vector<std::string>& command, const std::vector<std::string>& environment, int seconds) {
  const TempDir dir;
  const pid_t pid = start_program(command, environment, dir / "log");
  Ended ended;
  ended.exit_code = wait_for(pid, seconds);
  ended.output = read_file(dir / "log");
  return ended;
}

Daemon::Daemon(std::vector<std::string> more_flags, std::vector<std::string> program)
    : store_(fresh_store_url(dir_.path())), more_flags_(std::move(more_flags)), program_(std::move(program)) {
  if (program_.empty()) program_ = {KLEPTO_DAEMON};
  start();
}

Daemon::~Daemon() {
  if (pid_ != 0) kill();
}

std::vector<std::string> Daemon::flags() const {
  std::vector<std::string> all{"--listen=127.0.0.1:0", "--socket=" + dir_ / "klepto.sock", "--store=" + store_,
                               "--spool_dir=" + dir_ / "spool", "--ready_file=" + dir_ / "ready"};
  all.insert(all.end(), more_flags_.begin(), more_flags_.end());  // the last of a kind counts
  return all;
}

void Daemon::start() {
  launch();
  if (!await_ready()) throw std::runtime_error("kleptometricsd is not ready: " + log());
}

void Daemon::launch() {
  ::unlink((dir_ / "ready").c_str());
  std::vector<std::string> command = program_;
  for (std::string& flag : flags()) command.push_back(std::move(flag));
  pid_ = start_program(command, {}, dir_ / "log");
}

bool Daemon::await_ready() {
  for (int tries = 0; tries < 1500; ++tries) {
    const std::string ready = read_file(dir_ / "ready");
    if (!ready.empty()) {
      listen_ = Json::parse(ready).at("listen");
      return true;
    }
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = 0;
      return false;
    }
    pause();
  }
  kill();
  return false;
}

int Daemon::terminate() {
  ::kill(pid_, SIGTERM);
  return wait_for(std::exchange(pid_, 0), 30);
}

void Daemon::kill() {
  ::kill(pid_, SIGKILL);
  ::waitpid(std::exchange(pid_, 0), nullptr, 0);
}

Answer Daemon::get(const std::string& path) const { return send("GET", path, "", ""); }

Answer Daemon::send(const std::string& method, const std::string& path, const std::string& body,
                    const std::string& content_type) const {
  const std::size_t colon = listen_.rfind(':');
  httplib::Client client(listen_.substr(0, colon), std::stoi(listen_.substr(colon + 1)));
  client.set_read_timeout(60);
  httplib::Result result = method == "GET"     ? client.Get(path.c_str())
                           : method == "POST"  ? client.Post(path.c_str(), body, content_type.c_str())
                           : method == "PATCH" ? client.Patch(path.c_str(), body, content_type.c_str())
                           : method == "PUT"   ? client.Put(path.c_str(), body, content_type.c_str())
                                               : client.Delete(path.c_str());
  if (!result) return {};
  return {result->status, result->body, result->get_header_value("Content-Type")};
}

Json Daemon::json(const std::string& path) const {
  const Answer answer = get(path);
  if (answer.status != 200)
    throw std::runtime_error("GET " + path + " was answered with " + std::to_string(answer.status) + ": " +
                             answer.body);
  return answer.json();
}

std::vector<std::string> Daemon::environment() const {
  return {"KLEPTO_ENDPOINT=" + endpoint(), "KLEPTO_SPOOL_DIR=" + dir_ / "spool"};
}

std::string Daemon::endpoint() const { return "unix:" + dir_ / "klepto.sock"; }
std::string Daemon::log() const { return read_file(dir_ / "log"); }

}  // namespace kleptometrics::tests
