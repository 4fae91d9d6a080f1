#include "aggregator/store/sqlite/migration.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregator/base/log.h"
#include "aggregator/wire/wire.h"

namespace kleptometrics::aggregator::sqlite {
namespace {

constexpr std::int64_t kRowsAtOnce = 4096;

absl::StatusOr<Run> run_of(const Execution& row) {
  absl::StatusOr<Run> run = wire::decode_run(row.blob(1));
  if (!run.ok()) return run;
  absl::StatusOr<Annotations> annotations = wire::decode_annotations(row.blob(2));
  if (!annotations.ok()) return annotations.status();
  run->annotations = *std::move(annotations);
  return run;
}

}  // namespace

absl::StatusOr<bool> Migration::needed() {
  Execution found(db_.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'runs'"));
  const bool is = found.next();
  if (!found.status().ok()) return found.status();
  return is;
}

absl::Status Migration::move_some(std::vector<RecentPtr>& moved) {
  const absl::StatusOr<bool> is_needed = needed();
  if (!is_needed.ok() || !*is_needed) return is_needed.status();
  while (moved.empty() && behind_ != -1) {
    std::vector<std::int64_t> keys;
    std::int64_t seen = 0;
    {
      Execution rows(db_.prepare("SELECT key, bytes, annotations FROM runs WHERE key > ?1 ORDER BY key LIMIT ?2"));
      rows.with(behind_, kRowsAtOnce);
      while (rows.next()) {
        ++seen;
        behind_ = rows.integer(0);
        absl::StatusOr<Run> run = run_of(rows);
        if (!run.ok()) {
          log_error(absl::StrCat("row ", behind_, " of the older runs stays where it is: ", run.status().message()));
          continue;
        }
        keys.push_back(behind_);
        const Nanos known_at = run->finished_at.value_or(run->started_at);  // when it was committed is not known
        moved.push_back(std::make_shared<const Recent>(*std::move(run), known_at, 0));
      }
      if (!rows.status().ok()) return rows.status();
    }
    for (const std::int64_t key : keys) {
      if (absl::Status status = db_.run("DELETE FROM runs WHERE key = ?1", key); !status.ok()) return status;
    }
    if (seen == 0) behind_ = -1;
  }
  if (!moved.empty()) {
    moved_ += moved.size();
    return settler_.append(moved, false);
  }
  bool any = false;
  {
    Execution left(db_.prepare("SELECT 1 FROM runs LIMIT 1"));
    any = left.next();
    if (!left.status().ok()) return left.status();
  }
  return any ? absl::OkStatus() : db_.exec("DROP TABLE runs");
}

}  // namespace kleptometrics::aggregator::sqlite
