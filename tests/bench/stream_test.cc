#include "tests/bench/stream.h"

#include <map>
#include <set>

#include "tests/support/catch.h"

namespace kleptometrics::bench {
namespace {

constexpr std::uint64_t kRuns = 30'000;

History history() {
  HistoryOptions options;
  options.runs = kRuns;
  return History(options);
}

std::vector<Sample> all_of(Stream stream) {
  std::vector<Sample> all;
  std::vector<Sample> batch;
  while (stream.next(700, batch)) all.insert(all.end(), batch.begin(), batch.end());
  return all;
}

std::map<Uuid, int> times_sent(const std::vector<Sample>& sent) {
  std::map<Uuid, int> times;
  for (const Sample& run : sent) ++times[run.id];
  return times;
}

}  // namespace

TEST_CASE("a stream without mishaps sends every run once, in order of their ends") {
  const History runs = history();
  const std::vector<Sample> sent = all_of(Stream(runs, {}));
  REQUIRE(sent.size() == kRuns);
  for (std::uint64_t number = 0; number < kRuns; ++number) CHECK(sent[number].id == runs.run(number).id);
}

TEST_CASE("late runs are sent once, three days after their turn") {
  const History runs = history();
  StreamOptions options;
  options.late_percent = 1;
  const std::vector<Sample> sent = all_of(Stream(runs, options));
  CHECK(sent.size() == kRuns);
  CHECK(times_sent(sent).size() == kRuns);
  Nanos newest = 0;
  int late = 0;
  for (const Sample& run : sent) {
    if (run.finished_at < newest) {
      ++late;
      // The last ones of the history follow at its end.
      CHECK((newest - run.finished_at >= 3 * kNanosPerDay - kNanosPerDay / 100 ||
             newest > runs.options().end - kNanosPerDay / 100));
    } else {
      newest = run.finished_at;
    }
  }
  CHECK(late > static_cast<int>(kRuns / 150));
  CHECK(late < static_cast<int>(kRuns / 70));
}

TEST_CASE("runs that are sent again were sent before, and are counted") {
  const History runs = history();
  StreamOptions options;
  options.resend_percent = 5;
  Stream stream(runs, options);
  std::set<Uuid> known;
  std::uint64_t again = 0;
  Nanos newest = 0;
  std::vector<Sample> batch;
  while (stream.next(1'000, batch)) {
    for (const Sample& run : batch) {
      if (known.insert(run.id).second) {
        CHECK(run.finished_at >= newest);
        newest = run.finished_at;
      } else {
        ++again;
      }
    }
  }
  CHECK(known.size() == kRuns);
  CHECK(again == stream.sent_again());
  CHECK(again > kRuns / 25);
  CHECK(again < kRuns / 16);
}

TEST_CASE("two parts of a stream send what the whole sends") {
  const History runs = history();
  StreamOptions options;
  options.late_percent = 1;
  options.resend_percent = 5;
  std::vector<Sample> parts = all_of(Stream(runs, options, 0, kRuns / 3));
  const std::vector<Sample> rest = all_of(Stream(runs, options, kRuns / 3, kRuns));
  parts.insert(parts.end(), rest.begin(), rest.end());
  const std::vector<Sample> whole = all_of(Stream(runs, options));
  REQUIRE(parts.size() == whole.size());
  for (std::size_t i = 0; i < whole.size(); ++i) CHECK(parts[i].id == whole[i].id);
}

TEST_CASE("a batch holds as many turns as asked for, and more runs only where some come again") {
  const History runs = history();
  StreamOptions options;
  options.resend_percent = 100;
  Stream stream(runs, options);
  std::vector<Sample> batch;
  REQUIRE(stream.next(100, batch));
  CHECK(batch.size() == 199);  // there is nothing before the first
  REQUIRE(stream.next(100, batch));
  CHECK(batch.size() == 200);
}

}  // namespace kleptometrics::bench
