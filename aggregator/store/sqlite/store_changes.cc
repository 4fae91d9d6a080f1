// The list of changes: what commits enter when somebody passes it on.
#include "absl/strings/numbers.h"
#include "aggregator/store/sqlite/change_rows.h"
#include "aggregator/store/sqlite/status.h"
#include "aggregator/store/sqlite/store.h"

namespace kleptometrics::aggregator::sqlite {

absl::Status SqliteStore::keep_changes() {
  const Lock lock(writing_);
  const absl::StatusOr<std::uint64_t> waiting = count_changes(writer_);
  if (!waiting.ok()) return within(doing("read"), waiting.status());
  waiting_ = *waiting;
  keeps_changes_ = true;
  return absl::OkStatus();
}

absl::StatusOr<Changes> SqliteStore::changes(std::size_t limit) {
  ReaderPool::Lease reader = readers_.borrow();
  absl::StatusOr<Changes> changes = read_changes(*reader, limit, telling());
  if (!changes.ok()) return within(doing("read"), changes.status());
  return changes;
}

absl::Status SqliteStore::put_off(const std::string& upto, const std::vector<Run>& again) {
  std::int64_t key = 0;
  if (!absl::SimpleAtoi(upto, &key)) return absl::InvalidArgumentError(absl::StrCat("no position: ", upto));
  const Lock lock(writing_);
  if (absl::Status status = health_.ended(); !status.ok()) return status;
  std::uint64_t dropped = 0;
  const absl::Status status = write([&]() KLEPTO_REQUIRES(writing_) -> absl::Status {
    const absl::StatusOr<std::uint64_t> items = sqlite::drop_changes(writer_, key);
    if (!items.ok()) return items.status();
    dropped = *items;
    return write_changes(writer_, again);
  });
  if (!status.ok()) return within(doing("commit to"), status);
  waiting_ += again.size() - dropped;
  checkpoint();
  return absl::OkStatus();
}

}  // namespace kleptometrics::aggregator::sqlite
