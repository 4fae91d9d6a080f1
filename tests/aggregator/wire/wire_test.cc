#include "aggregator/wire/wire.h"

#include <algorithm>

#include "kleptometrics/v1/run.pb.h"
#include "tests/aggregator/model/full_run.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::wire {
namespace {

using fakes::finished;
using fakes::full_run;
using fakes::seconds;
using fakes::started;

Run round_trip(const Run& run) {
  const absl::StatusOr<Run> back = decode_run(encode_run(run));
  REQUIRE(back.ok());
  return *back;
}

v1::PushRequest parsed(const std::string& bytes) {
  v1::PushRequest request;
  REQUIRE(request.ParseFromString(bytes));
  return request;
}

TEST_CASE("runs come back as they went") {
  REQUIRE(round_trip(full_run()) == full_run());
  REQUIRE(round_trip(started("a", 1)) == started("a", 1));
  Run verdict = finished(started("a", 1), seconds(1), State::kCrashed);
  verdict.verdict = true;
  REQUIRE(round_trip(verdict) == verdict);
  Run added_to = full_run();
  added_to.annotations = {3, {{"ticket", "42"}, {"region", "eu"}}, "known bug"};
  REQUIRE(round_trip(added_to) == added_to);
  REQUIRE(wire::encode_snapshot(added_to) == wire::encode_snapshot(full_run()));
  Run by_http = full_run();
  by_http.reporter = Reporter::kHttp;
  by_http.revision = ~std::uint64_t{0};
  REQUIRE(round_trip(by_http) == by_http);
}

TEST_CASE("zero is not absence") {
  Run run = full_run();
  run.scheduled_at = 0;
  run.progress = 0;
  run.exit_code = 0;
  run.duration = 0;
  run.resources.cpu_user = 0;
  REQUIRE(round_trip(run) == run);
  run.scheduled_at.reset();
  run.progress.reset();
  run.exit_code.reset();
  run.resources = {};
  REQUIRE(round_trip(run) == run);
}

TEST_CASE("a coarse sketch and an empty one come back as they went") {
  Run run = full_run();
  run.steps[0].sketch.coarsen();
  run.steps[2].sketch.coarsen();
  REQUIRE(round_trip(run) == run);
}

TEST_CASE("equal runs have equal bytes") {
  Run negative_zero = full_run();
  negative_zero.counters["zero"] = -0.0;
  REQUIRE(negative_zero == full_run());
  REQUIRE(encode_run(negative_zero) == encode_run(full_run()));
  REQUIRE(encode_run(round_trip(full_run())) == encode_run(full_run()));
}

TEST_CASE("the canonical form is the same whatever the order and the sharing of strings in a push") {
  v1::PushRequest push = parsed(encode_run(full_run()));
  const std::string before = encode_run(full_run());
  // Renumber all strings: the last first, and one nobody uses.
  const int count = push.strings_size();
  const auto moved = [count](std::uint32_t index) {
    return index == 0 ? 0 : static_cast<std::uint32_t>(count) + 1 - index;
  };
  v1::PushRequest other;
  other.add_strings("");
  other.add_strings("nobody's");
  for (int i = count - 1; i > 0; --i) other.add_strings(push.strings(i));
  v1::Run& run = *other.add_runs() = push.runs(0);
  run.set_job(moved(run.job()));
  run.set_host(moved(run.host()));
  run.set_program(moved(run.program()));
  run.set_version(moved(run.version()));
  run.set_build_id(moved(run.build_id()));
  run.set_boot_id(moved(run.boot_id()));
  for (auto& label : *run.mutable_labels()) label.set_key(moved(label.key())), label.set_value(moved(label.value()));
  for (auto& counter : *run.mutable_counters()) counter.set_name(moved(counter.name()));
  for (auto& step : *run.mutable_steps()) step.set_name(moved(step.name()));
  std::reverse(run.mutable_labels()->begin(), run.mutable_labels()->end());
  const auto decoded = decode_push(other.SerializeAsString());
  REQUIRE(decoded.ok());
  REQUIRE(encode_run(std::get<Run>(decoded->at(0))) == before);
}

TEST_CASE("strings stand once, in order of first use, after the empty one") {
  Run run = started("a", 1);
  run.host = "a";
  run.labels = {{"k", "a"}};
  run.program = "p";
  run.boot_id = "b";
  run.annotations = {1, {{"x", "p"}}, ""};
  const v1::PushRequest push = parsed(encode_run(run));
  REQUIRE(std::vector<std::string>(push.strings().begin(), push.strings().end()) ==
          std::vector<std::string>{"", "a", "k", "p", "x", "b"});
}

TEST_CASE("a stored run may break limits that were narrowed since") {
  Run run = started("a", 1);
  run.host.assign(100'000, 'h');
  REQUIRE(round_trip(run) == run);
}

TEST_CASE("bytes that are no stored run are lost data") {
  const std::string bytes = encode_run(full_run());
  v1::PushRequest two = parsed(bytes);
  *two.add_runs() = two.runs(0);
  for (const std::string& bad : {std::string(), std::string("garbage"), bytes.substr(0, bytes.size() - 1),
                                 two.SerializeAsString(), bytes + "\x0b"}) {
    REQUIRE(absl::IsDataLoss(decode_run(bad).status()));
  }
}

TEST_CASE("any bit of a stored run may flip without harm") {
  const std::string bytes = encode_run(full_run());
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    const absl::StatusOr<Run> run = decode_run(flipped);
    if (run.ok()) (void)encode_run(*run);
  }
}

TEST_CASE("an answer carries its counts and rejections") {
  const std::string bytes = encode_result({3, 2, {{4, "started_at", "too early", false}, {7, "", "later", true}}});
  v1::PushResponse response;
  REQUIRE(response.ParseFromString(bytes));
  REQUIRE(response.accepted() == 3);
  REQUIRE(response.duplicates() == 2);
  REQUIRE(response.rejected_size() == 2);
  REQUIRE(response.rejected(0).index() == 4);
  REQUIRE(response.rejected(0).field() == "started_at");
  REQUIRE(response.rejected(0).detail() == "too early");
  REQUIRE_FALSE(response.rejected(0).retryable());
  REQUIRE(response.rejected(1).retryable());
  REQUIRE(encode_result({}).empty());
}

TEST_CASE("an answer is read back as it was written, and what is none is told so") {
  const auto back =
      decode_result(encode_result({3, 2, {{4, "started_at", "too early", false}, {7, "", "later", true}}}));
  REQUIRE(back.ok());
  REQUIRE(back->accepted == 3);
  REQUIRE(back->duplicates == 2);
  REQUIRE(back->rejected.size() == 2);
  REQUIRE(back->rejected[0].index == 4);
  REQUIRE(back->rejected[0].field == "started_at");
  REQUIRE(back->rejected[0].detail == "too early");
  REQUIRE_FALSE(back->rejected[0].retryable);
  REQUIRE(back->rejected[1].retryable);
  REQUIRE(absl::IsDataLoss(decode_result("<html>").status()));
}

TEST_CASE("a push holds as many runs as fit, whole and in their order, and at least one") {
  std::vector<Run> runs;
  for (std::uint32_t i = 0; i < 200; ++i) {
    runs.push_back(i % 5 == 0 ? full_run() : finished(started("job" + std::to_string(i), i), seconds(i)));
    if (i % 7 == 0) runs.back().annotations = {i + 1, {{"ticket", std::to_string(i)}}, "known"};
  }
  for (const std::size_t bytes_max : {std::size_t{1}, std::size_t{300}, std::size_t{5'000}, std::size_t{1U << 20U}}) {
    CAPTURE(bytes_max);
    std::vector<Run> back;
    while (back.size() < runs.size()) {
      const Push push = encode_push(&runs[back.size()], runs.size() - back.size(), bytes_max);
      REQUIRE(push.runs >= 1);
      REQUIRE((push.runs == 1 || push.body.size() <= bytes_max));
      const auto decoded = decode_push(push.body);
      REQUIRE(decoded.ok());
      REQUIRE(decoded->size() == push.runs);
      for (const Decoded& each : *decoded) back.push_back(std::get<Run>(each));
    }
    REQUIRE(back == runs);
  }
  REQUIRE(encode_push(runs.data(), 200, 1U << 20U).runs == 200);
}

}  // namespace
}  // namespace kleptometrics::aggregator::wire
