// A corpus that its readers no longer understand would fuzz nothing but their first line, and never say so. Where a
// test here fails after a change of a format, fuzz_make_corpus makes the seeds anew.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <variant>

#include "aggregator/keys/key_ring.h"
#include "aggregator/schedule/cron.h"
#include "aggregator/wire/rollups.h"
#include "aggregator/wire/wire.h"
#include "lib/cells/remains.h"
#include "lib/journal/journal.h"
#include "lib/sketch/sketch.h"
#include "tests/fuzz/seeds.h"
#include "tests/support/catch.h"

namespace kleptometrics::fuzz {
namespace {

std::map<std::string, std::string> whole_files_of(const char* corpus) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(KLEPTO_CORPUS) / corpus)) {
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string name = entry.path().filename();
    if (name.rfind(kWholePrefix, 0) == 0) files[name].assign(std::istreambuf_iterator<char>(in), {});
  }
  return files;
}

TEST_CASE("the seeds of journals are read without damage, and reach records, steps, counters and progress") {
  std::size_t records = 0;
  cells::RunRemains most;
  for (const auto& [name, bytes] : whole_files_of("journal")) {
    INFO(name);
    journal::Contents contents;
    REQUIRE(journal::parse(bytes, &contents) == journal::ReadError::kNone);
    CHECK(contents.damaged == 0);
    records += contents.records.size();
    if (contents.areas.empty()) continue;
    const Uuid run = cells::AreaName::parse(contents.areas.front().fixed).value().run;
    const cells::RunRemains left = cells::Remains(contents.areas).of(run);
    CHECK(left.damaged == 0);
    if (left.steps.size() >= most.steps.size()) most = left;
  }
  CHECK(records > 8);
  REQUIRE(most.steps.size() == 2);
  CHECK(most.steps[0].second.count == 81);
  CHECK(most.counters.size() == 1);
  CHECK(most.progress == 0.75);
}

TEST_CASE("the seeds of pushes are let in, every run of them") {
  std::size_t runs = 0;
  for (const auto& [name, bytes] : whole_files_of("push")) {
    INFO(name);
    const auto decoded = aggregator::wire::decode_push(bytes);
    REQUIRE(decoded.ok());
    for (const auto& each : *decoded) CHECK(std::holds_alternative<aggregator::Run>(each));
    runs += decoded->size();
  }
  CHECK(runs >= 7);
}

TEST_CASE("the seeds of sketches are read, and reach coarse ones and long counts") {
  int scale_min = Sketch::kScale;
  std::size_t counts_max = 0;
  for (const auto& [name, bytes] : whole_files_of("sketch")) {
    INFO(name);
    Sketch sketch;
    REQUIRE(sketch.decode(bytes));
    scale_min = std::min(scale_min, sketch.scale());
    counts_max = std::max(counts_max, sketch.counts().size());
  }
  CHECK(scale_min == Sketch::kScaleMin);
  CHECK(counts_max == Sketch::kBucketCountMax);
}

TEST_CASE("the seeds of cron expressions are read, and reach names, nicknames and days that are far apart") {
  std::size_t read = 0;
  for (const auto& [name, text] : whole_files_of("cron")) {
    INFO(name);
    CHECK(aggregator::schedule::Cron::parse(text).ok());
    ++read;
  }
  CHECK(read >= 6);
}

TEST_CASE("the seeds of keys are read, and reach both ends of a judgement") {
  using aggregator::keys::Verdict;
  std::map<Verdict, int> verdicts;
  for (const auto& [name, bytes] : whole_files_of("keys")) {
    INFO(name);
    const std::size_t end = bytes.find('\n');
    const auto ring = aggregator::keys::KeyRing::parse(std::string_view(bytes).substr(end + 1), name);
    REQUIRE(ring.ok());
    ++verdicts[ring->judge(std::string_view(bytes).substr(0, end), aggregator::keys::Scope::kWrite)];
  }
  CHECK(verdicts[Verdict::kGranted] == 2);
  CHECK(verdicts[Verdict::kUnknown] == 3);
}

TEST_CASE("the seeds of rollups are read, and reach every outcome") {
  using aggregator::State;
  aggregator::stats::Rollup sum;
  for (const auto& [name, bytes] : whole_files_of("rollup")) {
    INFO(name);
    const auto rollup = aggregator::wire::decode_rollup(bytes);
    REQUIRE(rollup.ok());
    sum.merge(*rollup);
  }
  for (const State state : {State::kSucceeded, State::kFailed, State::kCanceled, State::kCrashed}) {
    CHECK(sum.of(state).values.count > 0);
  }
}

}  // namespace
}  // namespace kleptometrics::fuzz
