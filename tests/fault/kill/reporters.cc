#include "tests/fault/kill/reporters.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <stdexcept>
#include <utility>

namespace kleptometrics::fault {
namespace {

struct Ends {
  int read = -1, write = -1;
};

Ends make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe is to be had");
  return {ends[0], ends[1]};
}

void close_on_exec(int fd, bool closes) { ::fcntl(fd, F_SETFD, closes ? FD_CLOEXEC : 0); }

std::vector<std::string> environment_of(const tests::Daemon& daemon, const std::vector<std::string>& more) {
  std::vector<std::string> out = daemon.environment();
  out.insert(out.end(), more.begin(), more.end());  // the last of a kind counts
  return out;
}

}  // namespace

PastReporter::PastReporter(const tests::Daemon& daemon, std::uint64_t seed, std::uint64_t first, std::uint64_t last,
                           std::uint64_t chunk, const std::vector<std::string>& more)
    : log_(daemon.dir() / ("reporter-" + std::to_string(first))) {
  const Ends ends = make_pipe();
  close_on_exec(ends.read, false);
  std::vector<std::string> command{KLEPTO_REPORTER, "past"};
  for (const std::uint64_t number : {seed, first, last, chunk, static_cast<std::uint64_t>(ends.read)})
    command.push_back(std::to_string(number));
  pid_ = tests::start_program(command, environment_of(daemon, more), log_);
  ::close(ends.read);
  spur_ = ends.write;
}

PastReporter::~PastReporter() {
  if (spur_ >= 0) ::close(spur_);
  if (pid_ == 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void PastReporter::go_on() const {
  if (::write(spur_, "g", 1) != 1) throw std::runtime_error("the reporter is gone: " + said());
}

bool PastReporter::finish() {
  ::close(std::exchange(spur_, -1));
  return tests::wait_for(std::exchange(pid_, 0), 90) == 0;
}

std::uint64_t PastReporter::said(const std::string& name) const {
  const std::string all = said();
  const auto at = all.find(name + "=");
  return at == std::string::npos ? 0 : std::stoull(all.substr(at + name.size() + 1));
}

LiveReporter::LiveReporter(const tests::Daemon& daemon, std::uint64_t seed, const std::vector<std::string>& more)
    : seed_(seed) {
  const Ends ends = make_pipe();
  close_on_exec(ends.write, false);
  pid_ = tests::start_program({KLEPTO_REPORTER, "live", std::to_string(seed), std::to_string(ends.write)},
                              environment_of(daemon, more), daemon.dir() / "live");
  ::close(ends.write);
  words_ = ends.read;
}

LiveReporter::~LiveReporter() {
  if (pid_ != 0) kill();
  if (words_ >= 0) ::close(words_);
}

// False if nobody speaks any more, or not in time. A program that was killed half-way through a word did not say it.
bool LiveReporter::hear(int timeout_ms) {
  pollfd ready{words_, POLLIN, 0};
  if (::poll(&ready, 1, timeout_ms) != 1) return false;
  std::array<Told, 256> heard;  // whole words: a pipe takes one at once or not at all
  const ssize_t bytes = ::read(words_, heard.data(), sizeof heard);
  if (bytes <= 0) return false;
  told_.insert(told_.end(), heard.begin(), heard.begin() + bytes / static_cast<ssize_t>(sizeof(Told)));
  return true;
}

void LiveReporter::listen_until(std::chrono::steady_clock::time_point until) {
  for (;;) {
    const auto left = until - std::chrono::steady_clock::now();
    if (left <= left.zero()) return;
    if (!hear(static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count()))) return;
  }
}

bool LiveReporter::listen_for(Told::Kind kind) {
  const auto said = [&] {
    return std::any_of(told_.begin(), told_.end(), [&](const Told& told) { return told.kind == kind; });
  };
  while (!said())
    if (!hear(10'000)) return false;
  return true;
}

int LiveReporter::kill() {
  ::kill(pid_, SIGKILL);
  int status = 0;
  ::waitpid(std::exchange(pid_, 0), &status, 0);
  while (hear(0)) {
  }
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

}  // namespace kleptometrics::fault
