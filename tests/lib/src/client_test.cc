// How a client delivers, retries and tells.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/lib/src/client_fixture.h"
#include "tests/support/catch.h"

using namespace std::chrono_literals;
using kleptometrics::ClientOptions;
using kleptometrics::Run;
using kleptometrics::RunInfo;
using kleptometrics::RunOptions;
using kleptometrics::tests::ClientFixture;
namespace v1 = kleptometrics::v1;

namespace {

constexpr kleptometrics::Nanos kSecond = kleptometrics::kNanosPerSecond;

}  // namespace

TEST_CASE("Only the newest snapshot of a run is pushed") {
  ClientFixture f;
  {
    Run run(*f.client, "billing");
    for (int i = 0; i < 10; ++i) run.label("round", std::to_string(i));
  }
  f.ship();
  CHECK(f.aggregator->runs.size() == 1);
  CHECK(f.last().run.revision() == 12);
}

TEST_CASE("Names that repeat within a batch travel once") {
  ClientFixture f;
  for (int i = 0; i < 50; ++i) Run run(*f.client, "billing");
  f.ship();
  CHECK(f.aggregator->pushes == 1);
  CHECK(f.aggregator->runs.size() == 50);
  for (const auto& run : f.aggregator->runs) CHECK(run.job == "billing");
}

TEST_CASE("A push that fails is tried again, each time after a longer wait, until it is taken") {
  ClientFixture f;
  { Run run(*f.client, "billing"); }
  f.aggregator->replies.assign(5, {0, "", "refused"});
  for (int i = 0; i < 100; ++i) {
    f.state->turn(false);
    f.clock.advance(kSecond / 10);
  }
  CHECK(f.aggregator->pushes == 6);
  CHECK(f.aggregator->runs.size() == 1);
  const auto stats = f.client->stats();
  CHECK(stats.retries == 5);
  CHECK(stats.delivered == 1);
  CHECK(stats.pending == 0);
}

TEST_CASE("What the aggregator puts off stays and is sent again, and what it refuses is given up and told") {
  std::vector<std::string> errors;
  ClientOptions options;
  options.on_error = [&](std::string_view message) { errors.emplace_back(message); };
  ClientFixture f(options);
  f.aggregator->judge = [](const v1::PushRequest& request, v1::PushResponse& response) {
    response.clear_accepted();
    for (int i = 0; i < request.runs_size(); ++i) {
      auto& rejection = *response.add_rejected();
      rejection.set_index(static_cast<std::uint32_t>(i));
      rejection.set_field("job");
      rejection.set_detail("no room");
      rejection.set_retryable(i == 0);
    }
  };
  { Run run(*f.client, "first"); }
  { Run run(*f.client, "second"); }
  f.ship();
  auto stats = f.client->stats();
  CHECK(stats.rejected == 1);
  CHECK(stats.pending == 1);
  REQUIRE(errors.size() == 1);
  CHECK(errors[0].find("no room") != std::string::npos);
  f.aggregator->judge = nullptr;
  f.ship();
  CHECK(f.last().job == "first");
  CHECK(f.client->stats().pending == 0);
}

TEST_CASE("Of a batch that is refused as a whole only the run at fault is given up") {
  ClientFixture f;
  for (int i = 0; i < 5; ++i) Run run(*f.client, "billing");
  f.aggregator->replies.assign(
      {{400, "", ""}, {200, v1::PushResponse().SerializeAsString(), ""}, {400, "", ""}, {400, "", ""}});
  f.ship();
  const auto stats = f.client->stats();
  CHECK(stats.rejected == 1);
  CHECK(stats.delivered == 4);
}

TEST_CASE("A run still open is reported every snapshot interval") {
  ClientFixture f;
  Run run(*f.client, "billing");
  f.ship();
  run.count("rows", 7);
  for (int i = 0; i < 10; ++i) {
    f.clock.advance(kSecond);
    f.ship();
  }
  CHECK(f.aggregator->runs.size() == 3);
  CHECK(f.last().run.state() == v1::STATE_RUNNING);
  CHECK(f.last().counters.size() == 1);
}

TEST_CASE("Progress is reported within a second, and no more often, however often it is set") {
  ClientFixture f;
  Run run(*f.client, "billing");
  f.ship();
  for (int i = 0; i < 30; ++i) {
    f.clock.advance(kSecond / 10);
    run.progress(i / 30.0);
    f.ship();
  }
  CHECK(f.aggregator->runs.size() == 4);
  CHECK(f.last().run.progress() == 29 / 30.0);
}

TEST_CASE("Hooks hear of failures, of late starts and of runs that take too long, once each") {
  std::vector<std::string> heard;
  const auto hear = [&](const RunInfo& info) {
    heard.push_back(std::string(info.job) + "|" + std::string(info.step) + "|" + std::string(info.message));
  };
  ClientOptions options;
  options.on_failure = hear;
  options.on_delay = hear;
  ClientFixture f(options);
  {
    RunOptions late;
    late.scheduled_at = kleptometrics::WallTime(std::chrono::nanoseconds(f.clock.wall - 120 * kSecond));
    late.grace = 60s;
    late.expected_duration = 10s;
    late.max_duration = 20s;
    Run run(*f.client, "billing", late);
    for (int i = 0; i < 5; ++i) {
      f.clock.advance(6 * kSecond);
      f.ship();
    }
    run.step("send").fail("smtp down");
    run.fail("no luck");
  }
  f.ship();
  CHECK(heard == std::vector<std::string>{"billing||started late", "billing||still running after its expected duration",
                                          "billing||still running after its maximum duration", "billing|send|smtp down",
                                          "billing||no luck"});
}

TEST_CASE("A hook that throws is contained and reported") {
  std::vector<std::string> errors;
  ClientOptions options;
  options.on_failure = [](const RunInfo&) { throw std::runtime_error("hook broke"); };
  options.on_error = [&](std::string_view message) { errors.emplace_back(message); };
  ClientFixture f(options);
  {
    Run run(*f.client, "billing");
    run.fail("reason");
  }
  f.ship();
  REQUIRE(errors.size() == 1);
  CHECK(errors[0] == "a hook threw: hook broke");
}

TEST_CASE("A hook that is slow is reported") {
  std::vector<std::string> errors;
  ClientFixture* fixture = nullptr;
  ClientOptions options;
  options.on_failure = [&](const RunInfo&) { fixture->clock.advance(3 * kSecond); };
  options.on_error = [&](std::string_view message) { errors.emplace_back(message); };
  ClientFixture f(options);
  fixture = &f;
  {
    Run run(*f.client, "billing");
    run.fail("reason");
  }
  f.ship();
  REQUIRE(errors.size() == 1);
  CHECK(errors[0] == "a hook took 3000 ms; nothing was delivered meanwhile");
}

TEST_CASE("A flush is done when what was recorded before it is delivered, in whichever snapshot") {
  ClientFixture f;
  f.aggregator->replies.assign(1, {0, "", "refused"});
  Run run(*f.client, "billing");
  f.ship();
  const auto upto = f.state->last_recorded();
  run.label("a", "b");  // takes the place of what was not delivered
  CHECK(f.state->journal().pending_since(upto));
  f.ship();
  CHECK_FALSE(f.state->journal().pending_since(upto));
}

TEST_CASE("Waiting for ever is not waiting for no time") {
  ClientFixture f;
  CHECK(f.client->flush(kleptometrics::Duration::max()));
}

TEST_CASE("A client that was closed keeps no calls of hooks, and with them its runs") {
  std::weak_ptr<kleptometrics::internal::ClientState> state;
  {
    ClientOptions options;
    options.on_failure = [](const RunInfo&) {};
    ClientFixture f(options);
    state = f.state;
    Run run(*f.client, "billing");
    auto step = run.step("send");
    f.client.reset();
    step.fail("after the end");
  }
  CHECK(state.expired());
}

TEST_CASE("The same trouble is told once a minute, with how often it happened") {
  std::vector<std::string> errors;
  ClientOptions options;
  options.on_error = [&](std::string_view message) { errors.emplace_back(message); };
  ClientFixture f(options);
  f.aggregator->replies.assign(30, {503, "", ""});
  { Run run(*f.client, "billing"); }
  for (int i = 0; i < 30; ++i) f.ship();
  CHECK(errors.size() == 1);
  f.clock.advance(61 * kSecond);
  f.ship();
  REQUIRE(errors.size() == 2);
  CHECK(errors[1].find("(29 times)") != std::string::npos);
}

TEST_CASE("Without a usable spool directory runs are kept in memory, and that is told") {
  std::vector<std::string> errors;
  kleptometrics::tests::TempDir dir;
  std::ofstream(dir / "file") << "x";
  ClientOptions options;
  options.spool_dir = dir / "file";
  options.on_error = [&](std::string_view message) { errors.emplace_back(message); };
  ClientFixture f(options);
  { Run run(*f.client, "billing"); }
  CHECK(f.shipped().job == "billing");
  CHECK_FALSE(f.client->stats().durable);
  REQUIRE(errors.size() == 1);
  CHECK(errors[0].find("is not a directory") != std::string::npos);
}

TEST_CASE("A journal that is full drops and counts, and the end of a run goes before the progress of others") {
  ClientOptions options;
  options.journal_bytes_max = 64U << 10U;
  ClientFixture f(options);
  f.aggregator->replies.assign(1, {0, "", "refused"});
  for (int i = 0; i < 2000; ++i) Run run(*f.client, "billing");
  const auto stats = f.client->stats();
  CHECK(stats.dropped > 0);
  CHECK(stats.dropped + stats.pending >= 2000);
  CHECK(stats.durable);
}
