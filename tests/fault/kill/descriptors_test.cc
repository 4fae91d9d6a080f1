// R14, the aggregator: a thousand connections that hang, and no descriptor left. The store keeps working, and who means
// well gets through.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <string>
#include <vector>

#include "tests/fault/kill/lives.h"

namespace kleptometrics::fault {
namespace {

using tests::Daemon;

constexpr std::size_t kConnections = 1000;
constexpr char kDescriptors[] = "ulimit -n 100 && exec \"$0\" \"$@\"";  // of the aggregator, of which it uses thirty

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

TEST_CASE("R14: 1,000 connections that hang use up the aggregator's descriptors, and a good client gets through") {
  allow_descriptors();
  const Scenario scenario("R14");
  Faults faults;
  Daemon daemon({}, {"/bin/sh", "-c", kDescriptors, KLEPTO_DAEMON});
  const Hung hung(daemon.listen());
  REQUIRE(hung.count() == kConnections);
  LiveReporter killed(daemon, scenario.seed() * 1000);
  PastReporter reporter(daemon, scenario.seed(), 0, 1000, 100);
  const auto begun = std::chrono::steady_clock::now();
  for (int chunk = 0; chunk < 10; ++chunk) reporter.go_on();
  if (!killed.listen_for(Told::kEnded)) faults.push_back("a program does not start");
  if (killed.kill() != SIGKILL) faults.push_back("a program was harmed");
  Lives lives;
  lives.add(killed);
  if (!reporter.finish()) faults.push_back("a good client did not get through: " + reporter.said());
  const std::chrono::duration<double> over_socket = std::chrono::steady_clock::now() - begun;
  await_adoption(daemon.dir() / "spool", 0, faults);
  const tests::Json jobs = daemon.eventually("/api/v1/jobs", [](const tests::Json&) { return true; });
  const std::chrono::duration<double> over_tcp = std::chrono::steady_clock::now() - begun;
  if (jobs == tests::Json()) faults.push_back("no answer over TCP");
  Runs stored = stored_by(daemon, faults);
  for (std::uint64_t number = 0; number < 1000; ++number)
    if (stored.erase(id_of(scenario.seed(), number)) == 0)
      faults.push_back("run " + std::to_string(number) + " is lost");
  for (std::uint64_t number = 0; number < 1000; number += 100) stored.erase(id_of_chunk(scenario.seed(), number));
  for (std::string& fault : lives.compare_with(stored)) faults.push_back(std::move(fault));
  scenario.report(std::to_string(hung.count()) + " hung connections, 1000 runs delivered over the socket after " +
                  std::to_string(over_socket.count()) + " s, an answer over TCP after " +
                  std::to_string(over_tcp.count()) + " s");
  require_none(scenario, faults);
}

}  // namespace
}  // namespace kleptometrics::fault
