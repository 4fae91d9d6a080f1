// Programs that have no file descriptor left, before or while they record.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>

#include "kleptometrics/kleptometrics.h"
#include "tests/fault/host/victim.h"

namespace kleptometrics::fault {
namespace {

class Hoard {
 public:
  Hoard() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = kLimit;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    for (int fd = take(); fd >= 0; fd = take()) held_.push_back(fd);
  }
  ~Hoard() {
    for (const int fd : held_) ::close(fd);
  }
  Hoard(const Hoard&) = delete;
  Hoard& operator=(const Hoard&) = delete;

 private:
  static constexpr rlim_t kLimit = 64;
  static int take() { return ::open("/dev/null", O_RDONLY); }
  std::vector<int> held_;
};

void record(const char* job) {
  Run run(job);
  auto timer = run.step_timer("item");
  for (int i = 0; i < 100; ++i) const auto timing = timer.start();
  run.count("rows", 5).label("region", "eu").progress(0.5);
}

// What the job is for, whatever becomes of its timing.
int result() {
  std::printf("done");
  return 3;
}

int before(const Arguments&) {
  {
    const Hoard hoard;
    record("before");
  }
  return Client::process().flush(std::chrono::seconds(30)) ? result() : 1;
}

int meanwhile(const Arguments&) {
  record("first");
  {
    const Hoard hoard;
    for (int i = 0; i < 20; ++i) record("meanwhile");
    Client::process().flush(std::chrono::milliseconds(300));
  }
  return Client::process().flush(std::chrono::seconds(30)) ? result() : 1;
}

int for_good(const Arguments&) {
  Run run("outer");
  static const Hoard hoard;
  record("for-good");
  return result();
}

// A host that does not know of the library: closes all descriptors, and then has sockets of its own by their numbers.
struct OwnSockets {
  std::vector<int> ends;
  OwnSockets() {
    for (int fd = 3; fd < 256; ++fd) ::close(fd);
    for (int i = 0; i < 50; ++i)
      if (int pair[2]; ::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0) ends.insert(ends.end(), {pair[0], pair[1]});
  }
  bool are_untouched() const {
    char byte = 0;
    for (const int fd : ends)
      if (::recv(fd, &byte, 1, MSG_DONTWAIT) != -1 || errno != EAGAIN) return false;
    return ends.size() == 100;
  }
};

int closed_by_the_host(const Arguments&) {
  Client& client = Client::process();
  auto own = std::make_unique<Client>();
  record("closed");
  { const Run run(*own, "closed"); }
  if (!client.flush(std::chrono::seconds(30)) || !own->flush(std::chrono::seconds(30))) return 1;
  const OwnSockets sockets;
  record("closed");
  { const Run run(*own, "closed"); }
  if (!client.flush(std::chrono::seconds(30)) || !own->flush(std::chrono::seconds(30))) return 1;
  own.reset();
  return sockets.are_untouched() ? result() : 2;
}

}  // namespace

const std::vector<Scenario> kDescriptors = {{"descriptors-before", before},
                                            {"descriptors-closed", closed_by_the_host},
                                            {"descriptors-meanwhile", meanwhile},
                                            {"descriptors-for-good", for_good}};

}  // namespace kleptometrics::fault
