#include <functional>
#include <random>

#include "aggregator/wire/wire.h"
#include "kleptometrics/v1/run.pb.h"
#include "lib/base/limits.h"
#include "tests/aggregator/model/full_run.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::wire {
namespace {

using fakes::full_run;
using fakes::id_of;
using fakes::started;

v1::PushRequest push_of(const Run& run) {
  v1::PushRequest push;
  REQUIRE(push.ParseFromString(encode_run(run)));
  return push;
}

// A push of many plain runs that share their strings.
v1::PushRequest push_of_many(std::size_t count) {
  v1::PushRequest push = push_of(started("a", 0));
  const v1::Run plain = push.runs(0);
  push.clear_runs();
  for (std::size_t i = 0; i < count; ++i) {
    const Uuid id = id_of(static_cast<std::uint32_t>(i));
    v1::Run& run = *push.add_runs() = plain;
    run.set_id(id.bytes.data(), id.bytes.size());
  }
  return push;
}

std::vector<Decoded> decoded(const v1::PushRequest& push) {
  auto runs = decode_push(push.SerializeAsString());
  REQUIRE(runs.ok());
  return *std::move(runs);
}

std::string fault_field(const v1::PushRequest& push) {
  const std::vector<Decoded> runs = decoded(push);
  REQUIRE(runs.size() == 1);
  REQUIRE(std::holds_alternative<FieldError>(runs[0]));
  return std::get<FieldError>(runs[0]).field;
}

TEST_CASE("the runs of a push come out in order") {
  const std::vector<Decoded> runs = decoded(push_of_many(100));
  REQUIRE(runs.size() == 100);
  for (std::uint32_t i = 0; i < 100; ++i) REQUIRE(std::get<Run>(runs[i]) == started("a", i));
  REQUIRE(decoded(v1::PushRequest()).empty());
}

TEST_CASE("a run at fault leaves the others alone") {
  v1::PushRequest push = push_of_many(3);
  push.mutable_runs(1)->set_started_at_ns(-5);
  const std::vector<Decoded> runs = decoded(push);
  REQUIRE(std::holds_alternative<Run>(runs[0]));
  REQUIRE(std::get<FieldError>(runs[1]).field == "started_at");
  REQUIRE(std::holds_alternative<Run>(runs[2]));
}

TEST_CASE("what the form of a run cannot hold is refused with the field's name") {
  struct Row {
    const char* field;
    std::function<void(v1::Run&)> change;
  };
  const std::vector<Row> table = {
      {"id", [](v1::Run& run) { run.set_id("short"); }},
      {"id", [](v1::Run& run) { run.clear_id(); }},
      {"parent_id", [](v1::Run& run) { run.set_parent_id("17 bytes, not 16."); }},
      {"state", [](v1::Run& run) { run.clear_state(); }},
      {"state", [](v1::Run& run) { run.set_state(static_cast<v1::State>(6)); }},
      {"state", [](v1::Run& run) { run.set_state(static_cast<v1::State>(-1)); }},
      {"reporter", [](v1::Run& run) { run.set_reporter(static_cast<v1::Reporter>(2)); }},
      {"reporter", [](v1::Run& run) { run.set_reporter(static_cast<v1::Reporter>(257)); }},
      {"failure.kind", [](v1::Run& run) { run.mutable_failure()->clear_kind(); }},
      {"failure.kind", [](v1::Run& run) { run.mutable_failure()->set_kind(static_cast<v1::FailureKind>(9)); }},
      {"job", [](v1::Run& run) { run.set_job(0); }},
      {"job", [](v1::Run& run) { run.set_job(1000); }},
      {"host", [](v1::Run& run) { run.set_host(~0U); }},
      {"program", [](v1::Run& run) { run.set_program(1U << 31U); }},
      {"version", [](v1::Run& run) { run.set_version(1000); }},
      {"build_id", [](v1::Run& run) { run.set_build_id(1000); }},
      {"boot_id", [](v1::Run& run) { run.set_boot_id(1000); }},
      {"labels", [](v1::Run& run) { run.mutable_labels(0)->set_key(1000); }},
      {"labels", [](v1::Run& run) { run.mutable_labels(0)->set_value(1000); }},
      {"labels", [](v1::Run& run) { *run.add_labels() = run.labels(0); }},
      {"labels", [](v1::Run& run) { run.add_labels(); }},
      {"counters", [](v1::Run& run) { run.mutable_counters(0)->set_name(1000); }},
      {"counters", [](v1::Run& run) { *run.add_counters() = run.counters(0); }},
      {"steps", [](v1::Run& run) { run.mutable_steps(1)->set_name(1000); }},
      {"steps[1].sketch", [](v1::Run& run) { run.mutable_steps(1)->mutable_sketch()->set_scale(7); }},
      {"steps[1].sketch", [](v1::Run& run) { run.mutable_steps(1)->mutable_sketch()->set_offset(1 << 30); }},
      {"labels",
       [](v1::Run& run) {
         for (int i = 0; i < 20; ++i) run.add_labels();
       }},
      {"counters",
       [](v1::Run& run) {
         for (int i = 0; i < 70; ++i) run.add_counters();
       }},
      {"steps",
       [](v1::Run& run) {
         for (int i = 0; i < 300; ++i) run.add_steps();
       }},
  };
  for (std::size_t row = 0; row < table.size(); ++row) {
    CAPTURE(row, table[row].field);
    v1::PushRequest push = push_of(full_run());
    table[row].change(*push.mutable_runs(0));
    CHECK(fault_field(push) == table[row].field);
  }
}

TEST_CASE("an attempt that is left out is the first") {
  v1::PushRequest push = push_of(started("a", 1));
  push.mutable_runs(0)->clear_attempt();
  REQUIRE(std::get<Run>(decoded(push)[0]).attempt == 1);
}

TEST_CASE("a run beyond its size is refused, one at its size is not") {
  Run run = started("a", 1);
  bool taken = false;
  bool refused = false;
  for (std::size_t count = 200; count <= 256; ++count) {
    run.steps.clear();
    for (std::size_t i = 0; i < count; ++i) {
      run.steps.push_back(fakes::step_of(std::string(1019, 'x') + std::to_string(1000 + i), {1}));
    }
    const bool fits = encode_run(run).size() <= limits::run_bytes_max;
    const std::vector<Decoded> runs = decoded(push_of(run));
    REQUIRE(std::holds_alternative<Run>(runs[0]) == fits);
    (fits ? taken : refused) = true;
  }
  REQUIRE(taken);
  REQUIRE(refused);
}

TEST_CASE("a push with too many runs is refused as a whole, before any is built") {
  REQUIRE(decoded(push_of_many(limits::batch_runs_max)).size() == limits::batch_runs_max);
  const auto status = decode_push(push_of_many(limits::batch_runs_max + 1).SerializeAsString()).status();
  REQUIRE(absl::IsInvalidArgument(status));
  std::string bomb;
  for (int i = 0; i < 2'000'000; ++i) bomb += std::string("\x12\x00", 2);
  REQUIRE(absl::IsInvalidArgument(decode_push(bomb).status()));
}

TEST_CASE("a push whose shared strings would fill the memory is refused as a whole") {
  v1::PushRequest push = push_of_many(10'000);
  for (int i = 0; i < 16; ++i) push.add_strings(std::string(limits::label_value_bytes_max, static_cast<char>('a' + i)));
  for (v1::Run& run : *push.mutable_runs()) {
    for (std::uint32_t i = 0; i < 16; ++i) {
      v1::Label& label = *run.add_labels();
      label.set_key(1);
      label.set_value(2 + i);
    }
  }
  for (v1::Run& run : *push.mutable_runs()) {
    for (std::uint32_t i = 0; i < 16; ++i) run.mutable_labels(static_cast<int>(i))->set_key(18 + i);
  }
  for (int i = 0; i < 16; ++i) push.add_strings("key" + std::to_string(i));
  REQUIRE(push.ByteSizeLong() < limits::body_bytes_max);
  REQUIRE(absl::IsInvalidArgument(decode_push(push.SerializeAsString()).status()));
}

TEST_CASE("a text too long for its field is refused, not copied") {
  v1::PushRequest push = push_of_many(1000);
  push.add_strings(std::string(3U << 20U, 'x'));
  for (v1::Run& run : *push.mutable_runs()) run.set_host(2);
  for (const Decoded& run : decoded(push)) REQUIRE(std::get<FieldError>(run).field == "host");
}

TEST_CASE("a push that is not protobuf, not UTF-8 or without the empty string is refused as a whole") {
  v1::PushRequest no_empty;
  no_empty.add_strings("a");
  v1::PushRequest not_utf8 = push_of(started("a", 1));
  const std::string good = not_utf8.SerializeAsString();
  std::string bad_text = good;
  bad_text[bad_text.find("\x01"
                         "a") +
           1] = '\xff';
  for (const std::string& bytes : {no_empty.SerializeAsString(), bad_text, std::string("{}"), std::string("\xff"),
                                   good.substr(0, good.size() - 1), good + "\x0b\x0c"}) {
    REQUIRE(absl::IsInvalidArgument(decode_push(bytes).status()));
  }
}

TEST_CASE("fields of a newer build are ignored") {
  v1::PushRequest push = push_of(full_run());
  // Numbers that this schema does not use: 200 as a varint, 201 as text, 202 and 203 of fixed width.
  const std::string unknown(
      "\xc0\x0c\x07\xca\x0c\x03new\xd1\x0c"
      "12345678"
      "\xdd\x0c"
      "1234",
      25);
  v1::PushRequest newer = push;
  REQUIRE(newer.mutable_runs(0)->MergeFromString(unknown));
  REQUIRE(newer.mutable_runs(0)->mutable_steps(0)->MergeFromString(unknown));
  const std::string bytes = newer.SerializeAsString() + unknown;
  REQUIRE(bytes.size() == push.SerializeAsString().size() + 3 * unknown.size());
  const auto runs = decode_push(bytes);
  REQUIRE(runs.ok());
  REQUIRE(std::get<Run>(runs->at(0)) == full_run());
}

// What came out is valid, so it must survive the way into a store and back.
void expect_sound(const absl::StatusOr<std::vector<Decoded>>& runs) {
  if (!runs.ok()) {
    REQUIRE(absl::IsInvalidArgument(runs.status()));
    return;
  }
  for (const Decoded& one : *runs) {
    const Run* const run = std::get_if<Run>(&one);
    if (run == nullptr) continue;
    const absl::StatusOr<Run> back = decode_run(encode_run(*run));
    REQUIRE(back.ok());
    REQUIRE(*back == *run);
  }
}

TEST_CASE("mutilated pushes never crash, and what they yield is sound") {
  const std::uint32_t seed = GENERATE(1U, 2U, 3U, 4U);
  CAPTURE(seed);
  std::mt19937 random(seed);
  v1::PushRequest push = push_of_many(3);
  push.MergeFrom(push_of(full_run()));
  push.mutable_runs(3)->set_job(1);
  const std::string full = encode_run(full_run());
  for (const std::string& original : {push.SerializeAsString(), full}) {
    for (int round = 0; round < 3000; ++round) {
      std::string bytes = original;
      for (std::uint32_t change = random() % 4; change < 4; ++change) {
        const std::size_t at = random() % bytes.size();
        switch (random() % 5) {
          case 0:
            bytes[at] = static_cast<char>(random());
            break;
          case 1:
            bytes.erase(at, 1 + random() % 8);
            break;
          case 2:
            bytes.insert(at, 1 + random() % 8, static_cast<char>(random()));
            break;
          case 3:
            bytes.resize(at + 1);
            break;
          default:
            bytes[at] = static_cast<char>(bytes[at] ^ (1 << (random() % 8)));
            break;
        }
        if (bytes.empty()) bytes = original;
      }
      expect_sound(decode_push(bytes));
    }
  }
}

}  // namespace
}  // namespace kleptometrics::aggregator::wire
