// A program that starts a run and is then treated badly. It writes a byte to the descriptor OUT when the run has begun,
// and reads one from IN before it goes on.
//
//   program end ID IN OUT      ends its run as it should
//   program fork ID IN OUT     has a child that keeps what it inherited, the socket and the journal, and outlives it
//   program exec ID IN OUT     becomes another program, which sleeps
//   program daemon ID IN OUT   goes into the background by daemon(); there it has a run of the job "background"
//   program leave ID IN OUT    is left by _exit(3)
//   program crowd N IN OUT     has N children, each with a journal of its own in KLEPTO_SPOOL_DIR and an open run of
//   the
//                              job "crowd", that do nothing at all; they end with it
#include <sys/prctl.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "aggregator/model/run.h"
#include "aggregator/wire/wire.h"
#include "kleptometrics/kleptometrics.h"
#include "lib/journal/journal.h"

namespace kleptometrics::fault {
namespace {

struct Line {
  int in, out;

  void tell() const {
    if (::write(out, "r", 1) != 1) ::_exit(90);
  }
  void wait() const {
    char byte = 0;
    [[maybe_unused]] const ssize_t got = ::read(in, &byte, 1);
  }
};

void outlive_parent(const Line& line) {
  ::close(line.out);
  ::alarm(120);
  ::pause();
  ::_exit(0);
}

void go_into_background() {
  if (::daemon(1, 1) != 0) ::_exit(91);
  { const Run own("background"); }
  std::exit(0);
}

void live(std::string_view how, const std::string& id, const Line& line) {
  RunOptions options;
  options.id = id;
  Run run("job", options);
  run.count("rows", 7);
  { auto step = run.step("work"); }
  if (how == "fork") {
    Client::process().flush(std::chrono::seconds(10));  // so that there is a socket to hold
    if (::fork() == 0) outlive_parent(line);
  }
  line.tell();
  line.wait();
  if (how == "exec") ::execlp("sleep", "sleep", "120", nullptr);
  if (how == "daemon") go_into_background();
  if (how == "leave") ::_exit(3);
}

void be_one_of_a_crowd(const std::string& spool, const Line& line) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::string error;
  const auto writer = journal::Writer::open(
      {.directory = spool, .bytes = std::size_t{64} << 10U, .directory_bytes_max = std::size_t{1} << 40U}, &error);
  aggregator::Run run;
  run.job = "crowd";
  run.revision = 1;
  const Nanos now = std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
  run.id = Uuid::make_v7(now);
  run.started_at = now;
  writer->append(aggregator::wire::encode_run(run), false, 0);
  line.tell();
  for (;;) ::pause();
}

void be_a_crowd(int size, const Line& line) {
  const char* const spool = std::getenv("KLEPTO_SPOOL_DIR");
  for (int i = 0; i < size; ++i)
    if (::fork() == 0) be_one_of_a_crowd(spool == nullptr ? "" : spool, line);
  line.wait();
}

}  // namespace
}  // namespace kleptometrics::fault

int main(int argc, char** argv) {
  using namespace kleptometrics::fault;  // NOLINT(google-build-using-namespace): this file is its end
  if (argc != 5) {
    std::fprintf(stderr, "usage: program HOW ID IN OUT\n");
    return 2;
  }
  const std::string_view how = argv[1];
  const Line line{std::atoi(argv[3]), std::atoi(argv[4])};
  if (how == "crowd") {
    be_a_crowd(std::atoi(argv[2]), line);
  } else {
    live(how, argv[2], line);
  }
  return 0;
}
