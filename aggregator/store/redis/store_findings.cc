// What the rules have found, in and out.
#include <algorithm>
#include <set>
#include <utility>

#include "aggregator/store/redis/finding_list.h"
#include "aggregator/store/redis/store.h"

namespace kleptometrics::aggregator::redis {
namespace {

constexpr std::size_t kSliceFindings = 1000;  // removed in one slice of housekeeping

}  // namespace

absl::Status RedisStore::record(const Findings& findings) {
  if (findings.empty()) return absl::OkStatus();
  std::set<std::string> jobs;
  for (const Delay& delay : findings.delays) jobs.insert(delay.job);
  for (const Alert& alert : findings.alerts) jobs.insert(alert.job);
  for (const auto& [job, bytes] : findings.watch_states) jobs.insert(job);
  const absl::Status status = writer_.write([&](Connection& connection) -> absl::StatusOr<bool> {
    Pipeline begin;
    begin.add("UNWATCH");
    if (const auto begun = connection.ask(begin); !begun.ok()) return begun.status();
    Transaction transaction;
    Pipeline& out = transaction.commands();
    for (const std::string& job : jobs) out.add("ZADD", keys_.jobs(), 0, job);
    absl::Status put = put_findings(connection, keys_, findings.delays, findings.withdrawn, out);
    if (put.ok()) put = put_findings(connection, keys_, findings.alerts, {}, out);
    if (!put.ok()) return put;
    for (const auto& [job, bytes] : findings.watch_states) {
      if (bytes.empty()) {
        out.add("HDEL", keys_.name("watch"), job);
      } else {
        out.add("HSET", keys_.name("watch"), job, bytes);
      }
    }
    return transaction.execute(connection);
  });
  return within("commit to", status);
}

absl::StatusOr<bool> RedisStore::expire_findings(Nanos now) {
  const Nanos horizon = now - kFindingsKept;
  const auto delays = expire_some_findings<Delay>(writer_, keys_, horizon, kSliceFindings);
  if (!delays.ok()) return delays.status();
  const auto alerts = expire_some_findings<Alert>(writer_, keys_, horizon, kSliceFindings);
  if (!alerts.ok()) return alerts.status();
  return *delays == kSliceFindings || *alerts == kSliceFindings;
}

absl::StatusOr<DelayPage> RedisStore::delays(const DelayFilter& filter, const std::optional<FindingCursor>& after,
                                             std::size_t limit) {
  if (limit == 0) return absl::InvalidArgumentError("limit is 0; a page has at least one delay");
  auto page = read_page<Delay, DelayKind>(pool_, keys_, filter, after, limit);
  if (!page.ok()) return within("read", page.status());
  return page;
}

absl::StatusOr<AlertPage> RedisStore::alerts(const AlertFilter& filter, const std::optional<FindingCursor>& after,
                                             std::size_t limit) {
  if (limit == 0) return absl::InvalidArgumentError("limit is 0; a page has at least one alert");
  auto page = read_page<Alert, AlertKind>(pool_, keys_, filter, after, limit);
  if (!page.ok()) return within("read", page.status());
  return page;
}

absl::StatusOr<std::optional<Alert>> RedisStore::alert(const Uuid& id) {
  auto found = read_one<Alert>(pool_, keys_, id);
  if (!found.ok()) return within("read", found.status());
  return found;
}

absl::StatusOr<DelayCounts> RedisStore::delay_counts(const DelayFilter& filter) {
  auto counts = count<Delay, DelayKind>(pool_, keys_, filter);
  if (!counts.ok()) return within("read", counts.status());
  return counts;
}

absl::StatusOr<AlertCounts> RedisStore::alert_counts(const AlertFilter& filter) {
  auto counts = count<Alert, AlertKind>(pool_, keys_, filter);
  if (!counts.ok()) return within("read", counts.status());
  return counts;
}

absl::StatusOr<std::vector<std::pair<std::string, std::string>>> RedisStore::watch_states() {
  Pipeline ask;
  ask.add("HGETALL", keys_.name("watch"));
  const absl::StatusOr<Replies> replies = pool_.ask(ask);
  if (!replies.ok()) return within("read", replies.status());
  const ReplyView all = replies->back();
  std::vector<std::pair<std::string, std::string>> states;
  for (std::size_t i = 0; i + 1 < all.size(); i += 2) states.emplace_back(all[i].text(), all[i + 1].text());
  std::ranges::sort(states);
  return states;
}

}  // namespace kleptometrics::aggregator::redis
