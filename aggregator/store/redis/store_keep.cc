// Housekeeping: runs expire, ids are forgotten, the list of changes is bounded.
#include <algorithm>
#include <charconv>
#include <map>

#include "absl/strings/str_cat.h"
#include "aggregator/store/redis/ordered.h"
#include "aggregator/store/redis/record.h"
#include "aggregator/store/redis/rollup_changes.h"
#include "aggregator/store/redis/scripts.h"
#include "aggregator/store/redis/store.h"
#include "aggregator/store/rules.h"

namespace kleptometrics::aggregator::redis {
namespace {

constexpr std::size_t kSliceRuns = 1000;
constexpr Nanos kExpiryInterval = 60 * kNanosPerSecond;
constexpr Nanos kCheckInterval = 3600 * kNanosPerSecond;
// What nobody has taken off the list of changes by then is lost to whoever watches.
constexpr std::int64_t kChangesMax = 1'000'000;  // commits
constexpr std::int64_t kChangesKeptMillis = std::int64_t{7} * 24 * 3600 * 1000;

struct Expiring {
  std::string place;
  Record record;
};

// What goes of runs that expire.
void write_expiry(const Keys& keys, const std::string& job, const std::vector<Expiring>& runs, Nanos forget_at,
                  Pipeline& out) {
  Command ids, places, everywhere, claims("MSET"), gone("ZADD", keys.gone());
  Nanos since = std::numeric_limits<Nanos>::min();
  for (const Expiring& each : runs) {
    const Run& run = each.record.run;
    ids.add(run.id.view());
    places.add(each.place);
    everywhere.add(each.place + job);
    claims.add(keys.id(run.id)).add(encode_gone(job));
    gone.add("0").add(place_of(forget_at, run.id));
    since = std::max(since, run.started_at + 1);
  }
  out.add(Command("HDEL", keys.runs(job)).add(ids));
  out.add(Command("ZREM", keys.starts(job)).add(places));
  out.add(Command("ZREM", keys.bad(job)).add(places));
  out.add(Command("ZREM", keys.all()).add(everywhere));
  out.add(Command("ZREM", keys.bad()).add(everywhere));
  out.add(claims);
  out.add(gone);
  for (const std::string& key : {keys.facts(job), keys.complete_since()})
    out.add("EVALSHA", kChange.sha1, 1, key, 0, 0, 0, 1, "since", hex_of(~raised(since)));
}

}  // namespace

absl::StatusOr<Maintenance> RedisStore::maintain(Nanos now, bool) {
  Maintenance done;
  const Lock lock(keeping_);
  if (!due_ && now >= kept_at_ && now - kept_at_ < kExpiryInterval) return done;
  const absl::StatusOr<bool> more = expire(now, done.expired);
  if (!more.ok()) return within("expire runs of", more.status());
  const absl::StatusOr<bool> more_ids = forget(now);
  if (!more_ids.ok()) return within("forget ids of", more_ids.status());
  const absl::StatusOr<bool> more_findings = expire_findings(now);
  if (!more_findings.ok()) return within("expire alerts of", more_findings.status());
  done.more = *more || *more_ids || *more_findings;
  if (done.more) return done;
  if (absl::Status status = trim_changes(); !status.ok()) return within("shorten the list of changes of", status);
  if (checked_at_ == 0 || now < checked_at_ || now - checked_at_ >= kCheckInterval) {
    warn_of_server();
    checked_at_ = now;
  }
  kept_at_ = now;
  due_ = false;
  return done;
}

// One slice, of the first job that has not been looked at in this pass.
absl::StatusOr<bool> RedisStore::expire(Nanos now, std::uint64_t& expired) {
  Pipeline ask;
  ask.add("HGETALL", keys_.retention());
  const absl::StatusOr<Replies> replies = pool_.ask(ask);
  if (!replies.ok()) return replies.status();
  std::map<std::string, JobSpec> specs;
  const ReplyView all = replies->back();
  for (std::size_t i = 0; i + 1 < all.size(); i += 2) {
    specs[std::string(all[i].text())].retention_days = static_cast<std::uint32_t>(all[i + 1].number());
  }
  for (auto at = specs.upper_bound(expired_job_); at != specs.end(); ++at) {
    const auto& [job, spec] = *at;
    if (spec.retention_days == 0) continue;
    const absl::StatusOr<bool> more = expire_some(job, expiry_horizon(spec, now), now + kIdsOutlive, expired);
    if (!more.ok()) return more;
    if (*more) return true;
    expired_job_ = job;
    if (expired != 0) return true;
  }
  expired_job_.clear();
  return false;
}

// No run that started later than the horizon has expired; of the others those may not have that ended late, or never.
absl::StatusOr<bool> RedisStore::expire_some(const std::string& job, Nanos horizon, Nanos forget_at,
                                             std::uint64_t& expired) {
  std::string last;
  std::size_t looked_at = 0;
  std::size_t found = 0;
  if (expiring_job_ != job) expired_place_.clear();
  expiring_job_ = job;
  const std::string from = expired_place_.empty() ? "-" : "(" + expired_place_;
  const absl::Status status = writer_.write([&](Connection& connection) -> absl::StatusOr<bool> {
    Pipeline list;
    list.add("UNWATCH");
    list.add("ZRANGEBYLEX", keys_.starts(job), from, "(" + place_of(horizon), "LIMIT", 0, kSliceRuns);
    const absl::StatusOr<Replies> listed = connection.ask(list);
    if (!listed.ok()) return listed.status();
    const ReplyView places = listed->back();
    looked_at = places.size();
    found = 0;
    if (looked_at == 0) return true;
    last = places[looked_at - 1].text();
    Command watch("WATCH"), get("HMGET", keys_.runs(job));
    for (std::size_t i = 0; i < looked_at; ++i) {
      const Uuid id = id_of_place(places[i].text());
      watch.add(keys_.id(id));
      get.add(id.view());
    }
    Pipeline read;
    read.add(watch);
    read.add(get);
    const absl::StatusOr<Replies> records = connection.ask(read);
    if (!records.ok()) return records.status();
    std::vector<Expiring> expiring;
    RollupChanges rollups(keys_);
    for (std::size_t i = 0; i < looked_at; ++i) {
      absl::StatusOr<Record> record = decode_record(records->back()[i].text());
      if (!record.ok()) continue;  // told when it is read
      if (!terminal(record->run.state) || kept_since(record->run, record->committed_at) >= horizon) continue;
      rollups.expire(record->run);
      expiring.push_back({std::string(places[i].text()), *std::move(record)});
    }
    found = expiring.size();
    if (expiring.empty()) return true;
    Transaction transaction;
    write_expiry(keys_, job, expiring, forget_at, transaction.commands());
    rollups.write(transaction.commands());
    return transaction.execute(connection);
  });
  if (!status.ok()) return status;
  expired += found;
  const bool more = looked_at == kSliceRuns;
  expired_place_ = more ? last : "";
  return more;
}

absl::StatusOr<bool> RedisStore::forget(Nanos now) {
  std::size_t found = 0;
  const absl::Status status = writer_.write([&](Connection& connection) -> absl::StatusOr<bool> {
    Pipeline list;
    list.add("UNWATCH");
    list.add("WATCH", keys_.gone());
    list.add("ZRANGEBYLEX", keys_.gone(), "-", "(" + place_of(now + 1), "LIMIT", 0, kSliceRuns);
    const absl::StatusOr<Replies> listed = connection.ask(list);
    if (!listed.ok()) return listed.status();
    const ReplyView due = listed->back();
    found = due.size();
    if (found == 0) return true;
    Command ids("DEL"), places("ZREM", keys_.gone());
    for (std::size_t i = 0; i < found; ++i) {
      ids.add(keys_.id(id_of_place(due[i].text())));
      places.add(due[i].text());
    }
    Transaction transaction;
    transaction.commands().add(ids);
    transaction.commands().add(places);
    return transaction.execute(connection);
  });
  if (!status.ok()) return status;
  return found == kSliceRuns;
}

absl::Status RedisStore::trim_changes() {
  Pipeline ask_time;
  ask_time.add("TIME");
  const absl::StatusOr<Replies> time = pool_.ask(ask_time);
  if (!time.ok()) return time.status();
  Pipeline trim;
  trim.add("XTRIM", keys_.changes(), "MINID", "~", time->back()[0].number() * 1000 - kChangesKeptMillis);
  trim.add("XTRIM", keys_.changes(), "MAXLEN", "~", kChangesMax);
  return pool_.ask(trim).status();
}

}  // namespace kleptometrics::aggregator::redis
