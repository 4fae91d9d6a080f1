// What changes the store, but housekeeping.
#include "absl/strings/str_cat.h"
#include "aggregator/store/redis/commit.h"
#include "aggregator/store/redis/store.h"
#include "aggregator/wire/job_spec.h"

namespace kleptometrics::aggregator::redis {

absl::StatusOr<std::vector<Applied>> RedisStore::commit(std::vector<Run> runs, Nanos now,
                                                        const std::vector<Basis>& bases) {
  if (runs.empty()) return std::vector<Applied>();
  Commit commit(keys_, runs, now, bases);
  const absl::Status status = writer_.write([&](Connection& connection) { return commit.attempt(connection); });
  if (!status.ok()) return within("commit to", status);
  return commit.take_applied();
}

absl::Status RedisStore::put_job(const std::string& name, const JobSpec& spec) {
  const std::string bytes = wire::encode_job_spec(spec);
  const absl::Status status = writer_.write([&](Connection& connection) -> absl::StatusOr<bool> {
    Transaction transaction(Transaction::Watched::kForgotten);
    Pipeline& out = transaction.commands();
    out.add("ZADD", keys_.jobs(), 0, name);
    out.add("HSET", keys_.facts(name), "spec", bytes);
    if (spec.retention_days == 0) {
      out.add("HDEL", keys_.retention(), name);
    } else {
      out.add("HSET", keys_.retention(), name, spec.retention_days);
    }
    out.add("XADD", keys_.changes(), "*", "s", name + '\0' + bytes);
    return transaction.execute(connection);
  });
  const Lock lock(keeping_);
  due_ = true;
  return within("commit to", status);
}

// A commit that failed may have found no memory, or a server that only reads: a small write shows whether that is over.
absl::Status RedisStore::ready() {
  Pipeline ask;
  if (writer_.last().ok()) {
    ask.add("PING");
  } else {
    ask.add("SET", keys_.name("probe"), "", "PX", 1000);
  }
  return within("reach", pool_.ask(ask).status());
}

}  // namespace kleptometrics::aggregator::redis
