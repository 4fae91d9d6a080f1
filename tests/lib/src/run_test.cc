// What a Run says of itself, as the aggregator gets it.
#include <chrono>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <thread>

#include "lib/base/limits.h"
#include "lib/base/uuid.h"
#include "tests/lib/src/client_fixture.h"
#include "tests/support/catch.h"

using namespace std::chrono_literals;
using kleptometrics::Run;
using kleptometrics::RunOptions;
using kleptometrics::Uuid;
using kleptometrics::WallTime;
using kleptometrics::tests::ClientFixture;
namespace v1 = kleptometrics::v1;
namespace limits = kleptometrics::limits;

namespace {

constexpr kleptometrics::Nanos kSecond = kleptometrics::kNanosPerSecond;

WallTime at(std::int64_t seconds) { return WallTime(std::chrono::seconds(seconds)); }

}  // namespace

TEST_CASE("A run starts, lasts and ends with its scope") {
  ClientFixture f;
  std::string id;
  {
    Run run(*f.client, "billing");
    id = run.id();
    const auto& started = f.shipped();
    CHECK(started.job == "billing");
    CHECK(started.run.state() == v1::STATE_RUNNING);
    CHECK(started.run.revision() == 1);
    CHECK_FALSE(started.run.has_duration_ns());
    f.clock.advance(90 * kSecond);
  }
  const auto& ended = f.shipped();
  CHECK(ended.run.state() == v1::STATE_SUCCEEDED);
  CHECK(ended.run.duration_ns() == 90 * kSecond);
  CHECK(ended.run.finished_at_ns() - ended.run.started_at_ns() == 90 * kSecond);
  CHECK(ended.run.revision() == 2);
  CHECK(Uuid::from_bytes(ended.run.id())->text() == id);
  CHECK(id[14] == '7');
  CHECK(f.client->stats().pending == 0);
}

TEST_CASE("A run carries its program, host, pid, build id and what it used") {
  ClientFixture f;
  { Run run(*f.client, "billing"); }
  const auto& run = f.shipped();
  CHECK_FALSE(run.host.empty());
  CHECK(run.program.find("test") != std::string::npos);
  CHECK(run.run.pid() == static_cast<std::uint32_t>(::getpid()));
  CHECK(run.run.resources().max_rss_bytes() > 1'000'000);
  CHECK(run.run.resources().has_cpu_user_ns());
}

TEST_CASE("Durations come from the steady clock, whatever the wall clock does") {
  ClientFixture f;
  {
    Run run(*f.client, "billing");
    f.clock.advance(5 * kSecond);
    f.clock.wall -= 86'400 * kSecond;
  }
  const auto& run = f.shipped().run;
  CHECK(run.duration_ns() == 5 * kSecond);
  CHECK(run.finished_at_ns() >= run.started_at_ns());
}

TEST_CASE("Labels, counters and progress travel with the run") {
  ClientFixture f;
  {
    Run run(*f.client, "billing");
    run.label("region", "us").label("region", "eu").count("rows", 2).count("rows", 40).count("files").progress(0.25);
    run.count("rows", std::numeric_limits<double>::infinity());
    run.progress(std::nan(""));
  }
  const auto& run = f.shipped();
  REQUIRE(run.labels.size() == 1);
  CHECK(run.labels[0] == std::pair<std::string, std::string>("region", "eu"));
  REQUIRE(run.counters.size() == 2);
  CHECK(run.counters[1] == std::pair<std::string, double>("rows", 42));
  CHECK(run.run.progress() == 0.25);
}

TEST_CASE("fail() fails the run with its first message, and the scope goes on") {
  ClientFixture f;
  {
    Run run(*f.client, "billing");
    run.fail("disk full");
    run.fail("and then this");
    run.cancel();
  }
  const auto& run = f.shipped().run;
  CHECK(run.state() == v1::STATE_FAILED);
  CHECK(run.failure().kind() == v1::FAILURE_KIND_REPORTED);
  CHECK(run.failure().message() == "disk full");
}

TEST_CASE("An exception that leaves the scope fails the run, and one that is caught within fails its step alone") {
  ClientFixture f;
  try {
    Run run(*f.client, "billing");
    try {
      auto send = run.step("send");
      throw std::runtime_error("smtp down");
    } catch (const std::runtime_error&) {
    }
    throw std::runtime_error("out");
  } catch (const std::runtime_error&) {
  }
  const auto& run = f.shipped();
  CHECK(run.run.state() == v1::STATE_FAILED);
  CHECK(run.run.failure().kind() == v1::FAILURE_KIND_EXCEPTION);
  REQUIRE(run.steps.size() == 1);
  CHECK(run.steps[0].second.failed() == 1);
}

TEST_CASE("A run made while an exception unwinds is not failed by it") {
  ClientFixture f;
  struct Cleanup {
    ClientFixture& f;
    ~Cleanup() { Run run(*f.client, "cleanup"); }
  };
  try {
    const Cleanup cleanup{f};
    throw std::runtime_error("out");
  } catch (const std::runtime_error&) {
  }
  CHECK(f.shipped().run.state() == v1::STATE_SUCCEEDED);
}

TEST_CASE("A run can be canceled, and a non-zero exit code fails it") {
  ClientFixture f;
  {
    Run run(*f.client, "billing");
    run.cancel();
  }
  CHECK(f.shipped().run.state() == v1::STATE_CANCELED);
  {
    Run run(*f.client, "billing");
    run.exit_code(3);
  }
  const auto& run = f.shipped().run;
  CHECK(run.state() == v1::STATE_FAILED);
  CHECK(run.exit_code() == 3);
  CHECK(run.failure().kind() == v1::FAILURE_KIND_EXIT_CODE);
}

TEST_CASE("Steps nest, repeat and add up, and names that look like paths do not") {
  ClientFixture f;
  {
    Run run(*f.client, "billing");
    for (int i = 1; i <= 3; ++i) {
      auto load = run.step("load");
      f.clock.advance(i * kSecond);
      auto parse = load.step("parse");
      f.clock.advance(kSecond);
    }
    auto odd = run.step("load/parse");
  }
  const auto& run = f.shipped();
  REQUIRE(run.steps.size() == 3);
  const auto& load = run.steps[0].second;
  CHECK(run.steps[0].first == "load");
  CHECK(load.count() == 3);
  CHECK(static_cast<std::int64_t>(load.total_ns()) == 9 * kSecond);
  CHECK(static_cast<std::int64_t>(load.min_ns()) == 2 * kSecond);
  CHECK(static_cast<std::int64_t>(load.max_ns()) == 4 * kSecond);
  CHECK(run.steps[1].first == "load/parse");
  CHECK(static_cast<std::int64_t>(run.steps[1].second.total_ns()) == 3 * kSecond);
  CHECK(run.steps[2].first == "load_parse");
}

TEST_CASE("A step timer counts from any thread and is inert after its run") {
  ClientFixture f;
  auto run = std::make_unique<Run>(*f.client, "billing");
  auto price = run->step_timer("price");
  std::thread other([&] {
    for (int i = 0; i < 500; ++i) auto timing = price.start();
  });
  for (int i = 0; i < 500; ++i) {
    auto timing = price.start();
    if (i == 0) timing.fail();
  }
  other.join();
  run.reset();
  { auto late = price.start(); }
  const auto& pushed = f.shipped();
  REQUIRE(pushed.steps.size() == 1);
  CHECK(pushed.steps[0].second.count() == 1000);
  CHECK(pushed.steps[0].second.failed() == 1);
}

TEST_CASE("A past run takes its times from its reporter and nothing from this process") {
  ClientFixture f;
  {
    RunOptions options;
    options.started_at = at(749'458'803);
    options.scheduled_at = at(749'458'800);
    options.id = "01890000-0000-7000-8000-000000000001";
    Run run(*f.client, "p1", options);
    f.ship();
    CHECK(f.aggregator->runs.empty());
    run.label("user", "1");
    run.finish_at(at(749'460'254));
  }
  const auto& run = f.shipped();
  CHECK(f.aggregator->runs.size() == 1);
  CHECK(run.run.started_at_ns() == 749'458'803 * kSecond);
  CHECK(run.run.scheduled_at_ns() == 749'458'800 * kSecond);
  CHECK(run.run.finished_at_ns() == 749'460'254 * kSecond);
  CHECK(run.run.duration_ns() == 1451 * kSecond);
  CHECK(run.run.state() == v1::STATE_SUCCEEDED);
  CHECK(Uuid::from_bytes(run.run.id())->text() == "01890000-0000-7000-8000-000000000001");
  CHECK(run.host.empty());
  CHECK_FALSE(run.run.has_resources());
}

TEST_CASE("Beyond the limits things are left out and counted, and the run is delivered") {
  ClientFixture f;
  {
    Run run(*f.client, "a job with spaces");
    for (int i = 0; i < 100; ++i) {
      run.label("k" + std::to_string(i), std::string(5000, 'v'));
      run.count("c" + std::to_string(i));
    }
    for (int i = 0; i < 300; ++i) auto step = run.step("s" + std::to_string(i));
    run.fail(std::string(10'000, 'm') + "\xff");
  }
  const auto& run = f.shipped();
  CHECK(run.job == "a_job_with_spaces");
  CHECK(run.labels.size() == limits::label_count_max);
  CHECK(run.labels[0].second.size() == limits::label_value_bytes_max);
  CHECK(run.counters.size() == limits::counter_count_max);
  CHECK(run.steps.size() == limits::step_count_max);
  CHECK(run.run.failure().message().size() == limits::failure_message_bytes_max);
  CHECK(f.client->stats().cut > 0);
}

TEST_CASE("A run with very many durations of every size stays within the size of a run") {
  ClientFixture f;
  {
    Run run(*f.client, "billing");
    for (int s = 0; s < 150; ++s) {
      auto timer = run.step_timer("step" + std::to_string(s));
      for (std::int64_t duration = 1; duration < 1'000'000'000'000'000; duration += duration / 70 + 1) {
        auto timing = timer.start();
        f.clock.steady += duration;
      }
      f.clock.steady = 1000 * kSecond;
    }
  }
  const auto& run = f.shipped();
  CHECK(run.run.ByteSizeLong() < limits::run_bytes_max);
  CHECK(run.steps.size() == 150);
  CHECK(f.client->stats().cut > 0);
}

TEST_CASE("A moved run ends once, and a run that outlives its client has no effect") {
  ClientFixture f;
  {
    Run first(*f.client, "billing");
    Run second(std::move(first));
    first = Run(*f.client, "other");
  }
  f.ship();
  CHECK(f.aggregator->runs.size() == 2);
  Run orphan(*f.client, "orphan");
  f.client.reset();
  orphan.label("a", "b").count("c").progress(1);
  auto step = orphan.step("late");
}
