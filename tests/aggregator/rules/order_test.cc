// The same facts in whatever order they become known.
#include <catch2/catch.hpp>

#include <algorithm>
#include <random>

#include "tests/aggregator/rules/watched.h"

namespace kleptometrics {
namespace {

using aggregator::JobSpec;
using aggregator::Run;
using aggregator::State;
using aggregator::rules::Findings;
using namespace fakes;

// A snapshot, and when it was made.
struct Fact {
  Run run;
  Nanos at;
};

std::vector<Fact> some_facts(std::mt19937_64& random) {
  std::vector<Fact> facts;
  for (std::uint32_t number = 1; number <= 12; ++number) {
    const Nanos start = at(0, static_cast<Nanos>(random() % 720));
    const Nanos duration = static_cast<Nanos>(random() % 60 + 1) * kMinute;
    Run run = started("job", number, start);
    if (random() % 3 == 0) run.scheduled_at = at(static_cast<Nanos>(random() % 12));
    if (random() % 5 == 0) run.attempt = 2;
    facts.push_back({run, start});
    if (random() % 5 == 0) {
      Run verdict = finished(run, duration / 2, State::kCrashed);
      verdict.verdict = true;
      facts.push_back({verdict, start + duration / 2});
    }
    facts.push_back(
        {finished(run, duration, random() % 3 == 0 ? State::kFailed : State::kSucceeded), start + duration});
  }
  return facts;
}

// Each is known some time after it was made, others before it maybe.
Book told_in_disorder(const JobSpec& spec, std::vector<Fact> facts, std::mt19937_64& random) {
  for (Fact& fact : facts) fact.at += static_cast<Nanos>(random() % 600) * kMinute;
  std::shuffle(facts.begin(), facts.end(), random);
  std::stable_sort(facts.begin(), facts.end(), [](const Fact& a, const Fact& b) { return a.at < b.at; });
  Watched job(spec);
  for (const Fact& fact : facts) {
    if (random() % 3 == 0) job.advance(fact.at - kMinute);
    job.take(fact.run, fact.at);
    if (random() % 4 == 0) job.take(fact.run, fact.at);
  }
  job.advance(at(30));
  return job.book;
}

Book told_at_once(const JobSpec& spec, std::vector<Fact> facts, std::mt19937_64& random) {
  std::shuffle(facts.begin(), facts.end(), random);
  Watched job(spec);
  for (const Fact& fact : facts) job.watch.take(fact.run, at(24));
  Findings found;
  job.watch.advance(at(30), found);
  job.book.write(found);
  for (const Uuid& id : found.withdrawn) {
    for (const auto& delay : found.delays) CHECK(delay.id != id);
  }
  return job.book;
}

void compare_orders(JobSpec spec) {
  spec.max_duration = 30 * kMinute;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    std::mt19937_64 random(seed);
    const auto facts = some_facts(random);
    const Book once = told_at_once(spec, facts, random);
    for (int i = 0; i < 10; ++i) {
      INFO("seed " << seed);
      REQUIRE(told_at_once(spec, facts, random) == once);
      REQUIRE(told_in_disorder(spec, facts, random).delays == once.delays);
    }
  }
}

TEST_CASE("Delays at occurrences follow from the facts, in whatever order they become known") {
  compare_orders(hourly());
}

TEST_CASE("Delays by intervals follow from the facts, in whatever order they become known") {
  compare_orders(each(kHour));
}

TEST_CASE("Delays of a job without a schedule follow from the facts, in whatever order they become known") {
  compare_orders(JobSpec{});
}

TEST_CASE("A watch that is saved and restored goes on as if it had not been") {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    INFO("seed " << seed);
    std::mt19937_64 random(seed);
    auto facts = some_facts(random);
    std::sort(facts.begin(), facts.end(), [](const Fact& a, const Fact& b) { return a.at < b.at; });
    Watched through(hourly());
    Watched restored(hourly());
    for (const Fact& fact : facts) {
      restored.watch = {"job", hourly(), aggregator::rules::JobWatchState(restored.watch.state())};
      through.take(fact.run, fact.at);
      restored.take(fact.run, fact.at);
      REQUIRE(through.book == restored.book);
      REQUIRE(through.watch.state() == restored.watch.state());
      REQUIRE(through.watch.next_deadline() == restored.watch.next_deadline());
    }
  }
}

}  // namespace
}  // namespace kleptometrics
