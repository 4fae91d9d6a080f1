// What becomes of runs when their process ends, in every way that a process can. Each case plays a program in a forked
// child with the process-wide client, no aggregator in reach, and then reads the journal that it left.
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "kleptometrics/kleptometrics.h"
#include "kleptometrics/v1/run.pb.h"
#include "lib/journal/journal.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

using kleptometrics::Run;
using kleptometrics::tests::TempDir;
namespace journal = kleptometrics::journal;
namespace v1 = kleptometrics::v1;

namespace {

struct Program {
  TempDir spool;

  // Runs `body` as a program of its own; returns its wait status.
  int run(const std::function<void()>& body) const {
    const pid_t child = ::fork();
    if (child == 0) {
      ::setenv("KLEPTO_SPOOL_DIR", spool.path().c_str(), 1);
      ::setenv("KLEPTO_ENDPOINT", ("unix:" + spool / "absent.sock").c_str(), 1);
      body();
      std::_Exit(99);  // bodies end the process themselves
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return status;
  }

  // The newest snapshot of every run in the journals left behind.
  std::vector<v1::Run> left() const {
    std::vector<v1::Run> out;
    for (const auto& entry : std::filesystem::directory_iterator(spool.path())) {
      if (entry.path().extension() != journal::kSuffix) continue;
      journal::ReadError error = journal::ReadError::kNone;
      const auto adoption = journal::Adoption::open(entry.path().string(), ::geteuid(), &error);
      REQUIRE(adoption != nullptr);
      CHECK(adoption->contents().damaged == 0);
      CHECK_FALSE(adoption->producer_alive());
      for (const auto& record : adoption->contents().records) {
        v1::PushRequest request;
        REQUIRE(request.ParseFromString(record.payload));
        out.push_back(request.runs(0));
      }
    }
    return out;
  }

  v1::Run only() const {
    const auto runs = left();
    REQUIRE(runs.size() == 1);
    return runs[0];
  }
};

}  // namespace

TEST_CASE("exit(0) within a run's scope ends it as succeeded") {
  const Program program;
  const int status = program.run([] {
    Run run("billing");
    std::exit(0);
  });
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(program.only().state() == v1::STATE_SUCCEEDED);
}

TEST_CASE("exit(n) within a run's scope ends it as failed with that code") {
  const Program program;
  const int status = program.run([] {
    Run run("billing");
    std::exit(3);
  });
  CHECK(WEXITSTATUS(status) == 3);
  const v1::Run run = program.only();
  CHECK(run.state() == v1::STATE_FAILED);
  CHECK(run.exit_code() == 3);
  CHECK(run.failure().kind() == v1::FAILURE_KIND_EXIT_CODE);
}

TEST_CASE("A program that ends without a word leaves its run open in the journal, counters and labels with it") {
  const auto end = GENERATE(
      as<void (*)()>{}, [] { std::_Exit(0); }, [] { std::quick_exit(1); }, [] { std::abort(); },
      [] { ::raise(SIGKILL); });
  const Program program;
  program.run([end] {
    std::signal(SIGABRT, SIG_DFL);
    Run run("billing");
    run.count("rows", 5);
    run.label("region", "eu");
    end();
  });
  const v1::Run run = program.only();
  CHECK(run.state() == v1::STATE_RUNNING);
  CHECK(run.counters_size() == 1);
  CHECK(run.labels_size() == 1);
}

TEST_CASE("A run that ended is safe although nobody was told of it") {
  const Program program;
  program.run([] {
    { Run run("billing"); }
    std::_Exit(0);
  });
  CHECK(program.only().state() == v1::STATE_SUCCEEDED);
}

TEST_CASE("Static objects may record while the process ends") {
  const Program program;
  program.run([] {
    static std::optional<Run> kept;
    static struct AtEnd {
      ~AtEnd() { Run run("farewell"); }
    } at_end;
    kept.emplace("kept");
    std::exit(0);
  });
  const auto runs = program.left();
  REQUIRE(runs.size() == 2);
  for (const v1::Run& run : runs) CHECK(run.state() == v1::STATE_SUCCEEDED);
}

#if !defined(__SANITIZE_THREAD__)  // which does not let a child of several threads start new ones
TEST_CASE("A forked child's copy of a run does nothing, and the child's own run is its own") {
  const Program program;
  program.run([] {
    {
      Run run("parent");
      auto step = run.step("fork");
      const pid_t child = ::fork();
      if (child == 0) {
        run.fail("not mine");
        run.label("a", "b");
        { Run own("child"); }
        std::exit(7);
      }
      int status = 0;
      ::waitpid(child, &status, 0);
      if (WEXITSTATUS(status) != 7) run.fail("the child did not end well");
    }
    std::exit(0);
  });
  auto runs = program.left();
  REQUIRE(runs.size() == 2);
  CHECK(runs[0].id() != runs[1].id());
  CHECK(runs[0].pid() != runs[1].pid());
  for (const v1::Run& run : runs) {
    CHECK(run.state() == v1::STATE_SUCCEEDED);
    CHECK(run.labels_size() == 0);
  }
}

TEST_CASE("A step that fails in a forked child takes no lock of its parent's, and nothing of it is destroyed there") {
  const Program program;
  const int status = program.run([] {
    kleptometrics::ClientOptions options;
    options.on_failure = [](const kleptometrics::RunInfo&) {};
    kleptometrics::Client client(options);
    std::atomic<bool> stop{false};
    Run shared(client, "busy");
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t)
      threads.emplace_back([&, t] {
        for (int i = 0; !stop; ++i) {
          shared.step("work").fail("again");
          shared.count("rows " + std::to_string(t) + " " + std::to_string(i % 20));
        }
      });
    int failures = 0;
    for (int i = 0; i < 100; ++i) {
      auto run = std::make_unique<Run>(client, "forking");
      auto step = std::make_unique<kleptometrics::Step>(run->step("split"));
      const pid_t child = ::fork();
      if (child == 0) {
        ::alarm(10);  // ends a child that hangs
        step->fail("not mine");
        step.reset();
        run.reset();
        std::_Exit(0);
      }
      int ended = 0;
      ::waitpid(child, &ended, 0);
      failures += ended == 0 ? 0 : 1;
    }
    stop = true;
    for (std::thread& thread : threads) thread.join();
    std::_Exit(failures);
  });
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("Threads that record while the process forks neither hang nor harm the child") {
  const Program program;
  const int status = program.run([] {
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] {
        while (!stop) {
          Run run("busy");
          auto step = run.step("work");
          run.count("rows");
        }
      });
    int bad = 0;
    for (int i = 0; i < 30; ++i) {
      const pid_t child = ::fork();
      if (child == 0) {
        ::alarm(20);  // a hang becomes a signal
        { Run own("child"); }
        std::_Exit(0);
      }
      int child_status = 0;
      ::waitpid(child, &child_status, 0);
      bad += child_status != 0 ? 1 : 0;
    }
    stop = true;
    for (std::thread& thread : threads) thread.join();
    std::exit(bad);
  });
  CHECK(status == 0);
}
#endif

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // which lose track of a stack that is cancelled
TEST_CASE("A thread that is cancelled while it makes a client, flushes or ends one is cancelled behind it") {
  const Program program;
  const int status = program.run([] {
    void* result = nullptr;
    pthread_t thread{};
    const auto body = [](void*) -> void* {
      ::pthread_cancel(::pthread_self());  // takes effect where a thread may be cancelled
      {
        kleptometrics::Client client;
        Run run(client, "billing");
        client.flush(std::chrono::milliseconds(20));
      }
      ::pthread_testcancel();
      return nullptr;
    };
    ::pthread_create(&thread, nullptr, body, nullptr);
    ::pthread_join(thread, &result);
    std::_Exit(result == PTHREAD_CANCELED ? 0 : 1);
  });
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

#endif

TEST_CASE("KLEPTO_DISABLED=1 leaves nothing and costs nothing") {
  const Program program;
  const int status = program.run([] {
    ::setenv("KLEPTO_DISABLED", "1", 1);
    Run run("billing");
    auto step = run.step("load");
    auto timer = step.step_timer("parse");
    { auto timing = timer.start(); }
    run.label("a", "b").count("c").progress(1);
    run.fail("no");
    std::exit(run.id().empty() && kleptometrics::Client::process().flush(std::chrono::seconds(1)) ? 0 : 1);
  });
  CHECK(status == 0);
  CHECK(program.left().empty());
}
