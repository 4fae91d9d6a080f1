// A job under watch, its findings kept as a store would keep them: a record over the one of the same id.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "aggregator/rules/job_watch.h"
#include "tests/fakes/runs.h"

namespace kleptometrics::fakes {

inline constexpr Nanos kMinute = 60 * kNanosPerSecond;
inline constexpr Nanos kHour = 60 * kMinute;
inline constexpr Nanos kDay = 24 * kHour;
inline constexpr Nanos kMidnight = 1'769'904'000 * kNanosPerSecond;  // 2026-02-01T00:00:00Z, a Sunday

// 2026-02-01 and later.
inline Nanos at(Nanos hours, Nanos minutes = 0, Nanos seconds = 0) {
  return kMidnight + hours * kHour + minutes * kMinute + seconds * kNanosPerSecond;
}

// What has been found, by id.
struct Book {
  std::map<Uuid, aggregator::Delay> delays;
  std::map<Uuid, aggregator::Alert> alerts;

  void write(const aggregator::rules::Findings& found) {
    for (const auto& delay : found.delays) delays[delay.id] = delay;
    for (const auto& alert : found.alerts) alerts[alert.id] = alert;
    for (const Uuid& id : found.withdrawn) delays.erase(id);
  }
  bool operator==(const Book&) const = default;
};

template <typename Record>
std::vector<Record> in_order(const std::map<Uuid, Record>& records) {
  std::vector<Record> list;
  for (const auto& [id, record] : records) list.push_back(record);
  std::sort(list.begin(), list.end(), [](const Record& a, const Record& b) {
    return std::pair(a.opened_at, a.id) < std::pair(b.opened_at, b.id);
  });
  return list;
}

struct Watched {
  aggregator::rules::JobWatch watch;
  Book book;
  std::map<std::uint32_t, aggregator::Run> runs;

  explicit Watched(aggregator::JobSpec spec, Nanos since = kMidnight) : watch("job", std::move(spec), since) {}

  void advance(Nanos now) {
    aggregator::rules::Findings found;
    watch.advance(now, found);
    book.write(found);
  }
  void replace(aggregator::JobSpec spec, Nanos now) {
    aggregator::rules::Findings found;
    watch.replace(std::move(spec), now, found);
    book.write(found);
  }
  void take(const aggregator::Run& run, Nanos now) {
    runs[number_of(run)] = run;
    watch.take(run, now);
    advance(now);
  }
  // Known when it happens.
  void start(std::uint32_t number, Nanos when, std::optional<Nanos> scheduled_at = std::nullopt) {
    aggregator::Run run = started("job", number, when);
    run.scheduled_at = scheduled_at;
    take(run, when);
  }
  void finish(std::uint32_t number, Nanos when, aggregator::State state = aggregator::State::kSucceeded) {
    const aggregator::Run& run = runs.at(number);
    take(finished(run, when - run.started_at, state), when);
  }
  // A run of a second, known when it ends.
  void ended(std::uint32_t number, Nanos when, aggregator::State state) {
    take(finished(started("job", number, when - kNanosPerSecond), kNanosPerSecond, state), when);
  }

  std::vector<aggregator::Delay> delays() const { return in_order(book.delays); }
  std::vector<aggregator::Alert> alerts() const { return in_order(book.alerts); }
  std::vector<aggregator::Alert> alerts(aggregator::AlertKind kind) const {
    auto list = alerts();
    std::erase_if(list, [kind](const aggregator::Alert& alert) { return alert.kind != kind; });
    return list;
  }

 private:
  static std::uint32_t number_of(const aggregator::Run& run) {
    std::uint32_t number = 0;
    for (unsigned i = 12; i < 16; ++i) number = number << 8U | run.id.bytes[i];
    return number;
  }
};

inline aggregator::JobSpec hourly(Nanos grace = 5 * kMinute) {
  aggregator::JobSpec spec;
  spec.cron = "0 * * * *";
  spec.grace = grace;
  return spec;
}

inline aggregator::JobSpec each(Nanos interval, Nanos grace = 5 * kMinute) {
  aggregator::JobSpec spec;
  spec.interval = interval;
  spec.grace = grace;
  return spec;
}

}  // namespace kleptometrics::fakes
