#include "tests/fault/host/host.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <thread>
#include <utility>

#include "lib/journal/journal.h"
#include "tests/e2e/daemon.h"

namespace kleptometrics::fault {
namespace {

std::uint64_t number(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == '\0' ? otherwise : std::strtoull(text, nullptr, 10);
}

void keep_newest(std::map<std::string, fakes::PushedRun>& newest, fakes::PushedRun run) {
  const auto [place, is_new] = newest.try_emplace(run.run.id(), run);
  if (!is_new && place->second.run.revision() < run.run.revision()) place->second = std::move(run);
}

}  // namespace

int scaled(int figure) {
  return figure * static_cast<int>(std::max<std::uint64_t>(number("KLEPTO_FAULT_SCALE", 1), 1));
}
std::uint64_t seed() { return number("KLEPTO_FAULT_SEED", 20'261'125); }

Victim::Victim(std::vector<std::string> command, const std::vector<std::string>& environment)
    : pid_(tests::start_program(command, environment, dir_ / "log")) {}

Victim::~Victim() {
  if (pid_ != 0) wait(std::chrono::seconds(0));
}

bool Victim::wait_once() {
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) == 0) return false;
  ended_at_ = std::chrono::steady_clock::now();
  pid_ = 0;
  status_ = status;
  return true;
}

int Victim::wait(std::chrono::seconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!has_ended()) {
    if (std::chrono::steady_clock::now() >= deadline) {
      ::kill(pid_, SIGKILL);
      ::waitpid(std::exchange(pid_, 0), nullptr, 0);
      return status_;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return status_;
}

std::string Victim::output() const { return tests::read_file(dir_ / "log"); }

std::string described(int status) {
  if (status == Victim::kHung) return "did not end in time";
  if (WIFSIGNALED(status)) return "signal " + std::to_string(WTERMSIG(status));
  return "exit code " + std::to_string(WEXITSTATUS(status));
}

std::vector<std::string> reports_to(const std::string& spool, const std::string& endpoint) {
  // Fatal signals are to be the victims' own, and so is the time that they take to end.
  const std::string signals = "handle_segv=0:handle_abort=0:handle_sigill=0:";
  const char* const tsan = std::getenv("TSAN_OPTIONS");
  return {"KLEPTO_SPOOL_DIR=" + spool, "KLEPTO_ENDPOINT=" + (endpoint.empty() ? "unix:" + spool + "/absent" : endpoint),
          "ASAN_OPTIONS=" + signals + "verify_asan_link_order=0",
          "TSAN_OPTIONS=" + signals + "atexit_sleep_ms=0:" + (tsan == nullptr ? "" : tsan)};
}

std::vector<fakes::PushedRun> Left::of(const std::string& job) const {
  std::vector<fakes::PushedRun> out;
  std::copy_if(runs.begin(), runs.end(), std::back_inserter(out), [&](const auto& run) { return run.job == job; });
  return out;
}

Left left_in(const std::string& spool) {
  Left left;
  std::map<std::string, fakes::PushedRun> newest;
  for (const auto& entry : std::filesystem::directory_iterator(spool)) {
    if (entry.path().extension() != journal::kSuffix) continue;
    journal::ReadError error = journal::ReadError::kNone;
    const auto adoption = journal::Adoption::open(entry.path().string(), ::geteuid(), &error);
    if (adoption == nullptr) throw std::runtime_error("a journal cannot be opened: " + entry.path().string());
    ++left.journals;
    left.damaged += adoption->contents().damaged;
    for (const journal::Record& record : adoption->contents().records) {
      v1::PushRequest request;
      if (!request.ParseFromString(record.payload) || request.runs_size() != 1)
        throw std::runtime_error("a record holds no run");
      keep_newest(newest, fakes::pushed(request, request.runs(0)));
    }
  }
  for (auto& [id, run] : newest) left.runs.push_back(std::move(run));
  return left;
}

MuteAggregator::MuteAggregator() : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = dir_ / "mute.sock";
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(listener_, 64) != 0)
    throw std::runtime_error("cannot listen at " + path);
  thread_ = std::thread([this] {
    std::vector<int> held;
    while (!stop_) {
      pollfd entry{listener_, POLLIN, 0};
      if (::poll(&entry, 1, 20) <= 0) continue;
      if (const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC); fd >= 0) held.push_back(fd);
      connections_ = held.size();
    }
    for (const int fd : held) ::close(fd);
  });
}

MuteAggregator::~MuteAggregator() {
  stop_ = true;
  thread_.join();
  ::close(listener_);
}

ShimReport::ShimReport() {
  const int fd = ::open((dir_ / "report").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  void* place = MAP_FAILED;
  if (fd >= 0 && ::ftruncate(fd, sizeof(Report)) == 0)
    place = ::mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (fd >= 0) ::close(fd);
  if (place == MAP_FAILED) throw std::runtime_error("the report of the shim cannot be mapped");
  report_ = static_cast<Report*>(place);
}

ShimReport::~ShimReport() { ::munmap(report_, sizeof(Report)); }

std::vector<std::string> ShimReport::environment(const std::string& call, std::uint64_t at,
                                                 const std::string& error) const {
  return {"ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0",
          "LD_PRELOAD=" KLEPTO_FAULT_SHIM,
          "KLEPTO_FAULT_CALL=" + call,
          "KLEPTO_FAULT_AT=" + std::to_string(at),
          "KLEPTO_FAULT_ERROR=" + error,
          "KLEPTO_FAULT_REPORT=" + dir_ / "report"};
}

void at_once(std::size_t count, const std::function<void(std::size_t)>& body) {
  std::atomic<std::size_t> next{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (std::size_t at = next++; at < count; at = next++) body(at);
    });
  for (std::thread& thread : threads) thread.join();
}

std::vector<std::string> together(std::vector<std::string> some, const std::vector<std::string>& more) {
  some.insert(some.end(), more.begin(), more.end());
  return some;
}

}  // namespace kleptometrics::fault
