// The bytes of rollups that stores keep: files hold what was written once, and what is damaged is an error or a rollup.
#include "aggregator/wire/rollups.h"

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "kleptometrics/v1/store.pb.h"
#include "tests/aggregator/stats/random_runs.h"
#include "tests/aggregator/wire/golden.h"
#include "tests/aggregator/wire/sample_rollups.h"
#include "tests/fakes/runs.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::wire {
namespace {

using fakes::id_of;
using fakes::kStart;
using fakes::rollup_of;
using fakes::SampleRollup;
using stats::Rollup;

constexpr const char* kAllSeries[] = {
    "duration", "start_delay", "cpu", "max_rss_bytes", "counter:records", "seconds_per:records", "step:load/parse"};

void require_round_trip(const Rollup& rollup) {
  const std::string bytes = encode_rollup(rollup);
  const absl::StatusOr<Rollup> back = decode_rollup(bytes);
  REQUIRE(back.ok());
  REQUIRE(*back == rollup);
  REQUIRE(encode_rollup(*back) == bytes);
}

// An error, or a rollup that can be used and written again.
void require_sound(std::string_view bytes) {
  absl::StatusOr<Rollup> rollup = decode_rollup(bytes);
  if (!rollup.ok()) {
    REQUIRE(rollup.status().code() == absl::StatusCode::kDataLoss);
    return;
  }
  require_round_trip(*rollup);
  stats::stats_of(*rollup, {State::kSucceeded, State::kFailed, State::kCanceled, State::kCrashed});
  rollup->merge(*rollup);
}

v1::Rollup message_of(const Rollup& rollup) {
  v1::Rollup message;
  REQUIRE(message.ParseFromString(encode_rollup(rollup)));
  return message;
}

bool lost(const v1::Rollup& message) {
  return decode_rollup(message.SerializeAsString()).status().code() == absl::StatusCode::kDataLoss;
}

TEST_CASE("rollups are written as they were when their files were made, and read back from them") {
  for (const SampleRollup& sample : fakes::sample_rollups()) {
    INFO(sample.name);
    CHECK(hex_of(encode_rollup(sample.rollup)) == golden(sample.name));
    require_round_trip(sample.rollup);
  }
}

TEST_CASE("an empty rollup is no bytes") {
  REQUIRE(encode_rollup({}).empty());
  const absl::StatusOr<Rollup> rollup = decode_rollup({});
  REQUIRE(rollup.ok());
  REQUIRE(rollup->empty());
}

TEST_CASE("one run of the library takes at most 36 bytes: its id, its time and its value") {
  REQUIRE(encode_rollup(rollup_of({fakes::library_run()}, "duration")).size() <= 36);
}

TEST_CASE("rollups of any runs in any series come back as they went") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    INFO("seed " << seed);
    const std::vector<Run> runs = fakes::random_runs(seed, seed < 20 ? seed : seed * seed);
    for (const char* series : kAllSeries) require_round_trip(rollup_of(runs, series));
  }
}

TEST_CASE("rollups that runs were taken out of come back as they went") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    const std::vector<Run> runs = fakes::random_runs(seed, 20);
    for (const char* text : kAllSeries) {
      const stats::Series series = stats::series_named(text).value();
      Rollup rollup = rollup_of(runs, text);
      for (const Run& run : runs) {
        const auto amount = stats::amount_of(run, series.measure, series.step);
        if (!terminal(run.state) || !amount) continue;
        rollup.of(run.state).values.remove({*amount, run.id, run.started_at});
        require_round_trip(rollup);
      }
    }
  }
}

TEST_CASE("times at the very end of 64 bits come back") {
  Rollup rollup;
  for (std::uint32_t i = 0; i < 5; ++i) {
    rollup.of(State::kCanceled).values.add({{~std::uint64_t{i}, 0, false}, id_of(i), -kNanosEnd + i});
    require_round_trip(rollup);
  }
}

TEST_CASE("ids of every version come back with their times") {
  std::mt19937_64 random(3);
  for (int i = 0; i < 200; ++i) {
    Run run = fakes::library_run();
    for (std::uint8_t& byte : run.id.bytes) byte = static_cast<std::uint8_t>(random());
    run.started_at = static_cast<Nanos>(random() >> 2U) - (Nanos{1} << 61U);
    require_round_trip(rollup_of({run}, "duration"));
  }
}

TEST_CASE("merging in any order gives identical bytes, of times") {
  const std::uint64_t seed = 5;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  std::vector<Run> runs = fakes::random_runs(seed, 200);
  for (const char* series : {"duration", "start_delay", "cpu", "step:load/parse"}) {
    const std::string whole = encode_rollup(rollup_of(runs, series));
    for (int shuffle = 0; shuffle < 10; ++shuffle) {
      std::shuffle(runs.begin(), runs.end(), random);
      std::vector<std::vector<Run>> groups(1 + random() % 6U);
      for (const Run& run : runs) groups[random() % groups.size()].push_back(run);
      Rollup sum;
      for (const auto& group : groups) sum.merge(rollup_of(group, series));
      REQUIRE(encode_rollup(sum) == whole);
    }
  }
}

TEST_CASE("0 and -0 are equal, and so are their bytes") {
  Rollup a, b;
  for (std::uint32_t i = 0; i < 4; ++i) {
    a.of(State::kFailed).values.add({{0, 0.0, false}, id_of(i), kStart});
    b.of(State::kFailed).values.add({{0, -0.0, false}, id_of(i), kStart});
  }
  REQUIRE(a == b);
  REQUIRE(encode_rollup(a) == encode_rollup(b));
}

TEST_CASE("cut and flipped bytes are an error or a rollup") {
  for (const SampleRollup& sample : fakes::sample_rollups()) {
    INFO(sample.name);
    const std::string bytes = encode_rollup(sample.rollup);
    for (std::size_t size = 0; size < bytes.size(); ++size) require_sound(std::string_view(bytes).substr(0, size));
    for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
      std::string flipped = bytes;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ static_cast<char>(1U << (bit % 8)));
      require_sound(flipped);
    }
  }
}

TEST_CASE("random bytes are an error or a rollup") {
  std::mt19937_64 random(7);
  for (int i = 0; i < 5000; ++i) {
    std::string bytes(random() % 60U, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    require_sound(bytes);
  }
}

TEST_CASE("values that cannot be are data loss") {
  const Rollup rollup = rollup_of(fakes::plain_runs(16), "counter:records");
  REQUIRE_FALSE(lost(message_of(rollup)));
  const auto damaged = [&](auto damage) {
    v1::Rollup message = message_of(rollup);
    damage(*message.mutable_succeeded());
    return lost(message);
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double bad : {nan, infinity, -infinity}) {
    CHECK(damaged([&](v1::Outcome& outcome) { outcome.set_mean(bad); }));
    CHECK(damaged([&](v1::Outcome& outcome) { outcome.set_deviations(bad); }));
    CHECK(damaged([&](v1::Outcome& outcome) { outcome.mutable_low()->set_number(bad); }));
    CHECK(damaged([&](v1::Outcome& outcome) { outcome.mutable_high()->set_number(bad); }));
  }
  CHECK(damaged([](v1::Outcome& outcome) { outcome.mutable_high()->set_number(-1); }));  // below the low
  CHECK(damaged([](v1::Outcome& outcome) { outcome.mutable_high()->set_ratio(true); }));
  CHECK(damaged([](v1::Outcome& outcome) { outcome.mutable_high()->set_nanos(1); }));
  CHECK(damaged([](v1::Outcome& outcome) { outcome.mutable_low()->set_nanos(1); }));
  CHECK(damaged([](v1::Outcome& outcome) { outcome.set_deviations(-1); }));
  CHECK(damaged([](v1::Outcome& outcome) { outcome.set_count(0); }));
  CHECK(damaged([](v1::Outcome& outcome) { outcome.set_count(outcome.count() + 1); }));
  CHECK(damaged([](v1::Outcome& outcome) { outcome.clear_sketch(); }));
  CHECK(damaged([](v1::Outcome& outcome) { outcome.mutable_sketch()->pop_back(); }));
  CHECK(damaged([](v1::Outcome& outcome) { outcome.mutable_sketch()->push_back('\0'); }));
}

}  // namespace
}  // namespace kleptometrics::aggregator::wire
