// R14, the aggregator: a thousand connections that hang, and no descriptor left. The store keeps working, and who means
// well gets through.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "tests/fault/kill/lives.h"

namespace kleptometrics::fault {
namespace {

using tests::Daemon;

constexpr std::size_t kConnections = 1000;
constexpr std::ptrdiff_t kDescriptors = 100;  // of the aggregator, which uses some thirty for itself

void allow_descriptors() {
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// Connections of a peer that does not go on: after nothing, half a head, a head without its body.
class Hung {
 public:
  explicit Hung(const std::string& listen) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(listen.substr(listen.rfind(':') + 1))));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (std::size_t i = 0; i < kConnections; ++i) connect(to, kWords[i % kWords.size()]);
  }
  ~Hung() {
    for (const int fd : fds_) ::close(fd);
  }
  Hung(const Hung&) = delete;
  Hung& operator=(const Hung&) = delete;
  std::size_t count() const { return fds_.size(); }

 private:
  inline static const std::vector<std::string> kWords{
      "", "GET /api/v1/jobs HT", "POST /api/v1/runs HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"};

  void connect(const sockaddr_in& to, const std::string& word) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    fds_.push_back(fd);
    // Where the queue of the listener is full, the kernel goes on trying.
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 && errno != EINPROGRESS) return;
    (void)::send(fd, word.data(), word.size(), MSG_NOSIGNAL);
  }

  std::vector<int> fds_;
};

// False if it has some left after ten seconds.
bool has_used_up_all(const Daemon& daemon) {
  const std::string open = "/proc/" + std::to_string(daemon.pid()) + "/fd";
  for (int tries = 0; tries < 1000; ++tries) {
    if (std::distance(std::filesystem::directory_iterator(open), {}) >= kDescriptors) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));  // between two looks at another process
  }
  return false;
}

constexpr std::uint64_t kRuns = 1000;
constexpr std::uint64_t kChunk = 100;

// What those who mean well recorded, each run of it.
void compare_all(Runs stored, std::uint64_t seed, const Lives& lives, Faults& faults) {
  for (std::uint64_t number = 0; number < kRuns; ++number) {
    if (stored.erase(id_of(seed, number)) == 0) faults.push_back("run " + std::to_string(number) + " is lost");
    if (number % kChunk == 0) stored.erase(id_of_chunk(seed, number));
  }
  for (std::string& fault : lives.compare_with(stored)) faults.push_back(std::move(fault));
}

// One program delivers, another one is killed and leaves its journal.
void mean_well(const Daemon& daemon, std::uint64_t seed, Lives& lives, Faults& faults) {
  LiveReporter killed(daemon, seed * 1000);
  PastReporter reporter(daemon, seed, 0, kRuns, kChunk);
  for (std::uint64_t chunk = 0; chunk < kRuns / kChunk; ++chunk) reporter.go_on();
  if (!killed.listen_for(Told::kEnded)) faults.push_back("a program does not start");
  if (killed.kill() != SIGKILL) faults.push_back("a program was harmed");
  lives.add(killed);
  if (!reporter.finish()) faults.push_back("a good client did not get through: " + reporter.said());
}

TEST_CASE("R14: 1,000 connections that hang use up the aggregator's descriptors, and a good client gets through") {
  allow_descriptors();
  const Scenario scenario("R14");
  Faults faults;
  Lives lives;
  const std::string limited = "ulimit -n " + std::to_string(kDescriptors) + " && exec \"$0\" \"$@\"";
  Daemon daemon({}, {"/bin/sh", "-c", limited, KLEPTO_DAEMON});
  const Hung hung(daemon.listen());
  REQUIRE(hung.count() == kConnections);
  REQUIRE(has_used_up_all(daemon));
  mean_well(daemon, scenario.seed(), lives, faults);
  scenario.report("1000 hung connections, " + std::to_string(kRuns) + " runs delivered over the socket");
  await_adoption(daemon.dir() / "spool", 0, faults);
  const tests::Json jobs = daemon.eventually("/api/v1/jobs", [](const tests::Json&) { return true; });
  if (jobs == tests::Json()) faults.push_back("no answer over TCP");
  scenario.report("a journal adopted, an answer over TCP");
  compare_all(stored_by(daemon, faults), scenario.seed(), lives, faults);
  require_none(scenario, faults);
}

}  // namespace
}  // namespace kleptometrics::fault
