// The store itself: what the committer changes (store_write.cc), moves into the tables (store_settle.cc) and readers
// ask (store_read.cc); delays and alerts (store_findings.cc) and the list of changes (store_changes.cc), both ways, are
// apart. Opened by open_sqlite. Two locks: writing_ is the committer's, for the writing connection; tail_mutex_ lets
// readers look at the tails and begin their view of the tables at one instant. Taken in this order.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <future>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "aggregator/base/absl_view.h"
#include "aggregator/store/change_list.h"
#include "aggregator/store/sqlite/connection.h"
#include "aggregator/store/damaged_rows.h"
#include "aggregator/store/sqlite/file.h"
#include "aggregator/store/sqlite/health.h"
#include "aggregator/store/sqlite/reader_pool.h"
#include "aggregator/store/sqlite/settler.h"
#include "aggregator/store/sqlite/sqlite_store.h"
#include "aggregator/store/sqlite/tail.h"
#include "aggregator/store/store.h"
#include "lib/base/mutex.h"

namespace kleptometrics::aggregator::sqlite {

using Tails = std::array<const Tail*, 2>;

// A reader that sees one state of the tables from its begin to its end, and what of them is not to be seen.
struct View {
  explicit View(ReaderPool& pool) : reader(pool.borrow()), settled(*reader) {}
  ~View() { (void)reader->run("COMMIT"); }
  View(const View&) = delete;
  View& operator=(const View&) = delete;
  // Under the tails' lock: what is in a tail is then not in the tables, and the other way round.
  absl::Status begin(const Tails& tails) {
    for (const Tail* tail : tails) hidden.insert(tail->replaced().begin(), tail->replaced().end());
    absl::Status status = reader->run("BEGIN");
    if (status.ok()) status = reader->run("SELECT 1 FROM sqlite_schema LIMIT 1");
    return status;
  }

  ReaderPool::Lease reader;
  Settled settled;
  Hidden hidden;
};

class SqliteStore final : public Store, public ChangeList {
 public:
  // `settling`: a reader of its own, so that commits wait for no answer, however long that takes.
  SqliteStore(std::string path, FileLock lock, Connection writer, Connection settling, std::vector<Connection> readers,
              const SqliteOptions& options)
      : path_(std::move(path)),
        lock_(std::move(lock)),
        writer_(std::move(writer)),
        settler_(writer_),
        settle_runs_(options.settle_runs),
        checkpoint_pages_(options.checkpoint_pages),
        readers_(std::move(readers)),
        settling_reader_(std::move(settling)) {
    // In place of SQLite's own checkpoints.
    sqlite3_wal_hook(
        writer_.raw(),
        [](void* pages, sqlite3*, const char*, int count) {
          *static_cast<int*>(pages) = count;
          return SQLITE_OK;
        },
        &log_pages_);
  }
  // Brings back what is not settled, and moves what an older build kept.
  absl::Status start();

  absl::StatusOr<std::vector<Applied>> commit(std::vector<Run> runs, Nanos now,
                                              const std::vector<Basis>& bases) override;
  absl::Status put_job(const std::string& name, const JobSpec& spec) override;
  absl::Status record(const Findings& findings) override;
  absl::StatusOr<Maintenance> maintain(Nanos now, bool idle) override;
  absl::StatusOr<std::optional<Run>> run(const Uuid& id) override;
  absl::StatusOr<RunPage> runs(const RunFilter& filter, const std::optional<RunCursor>& after,
                               std::size_t limit) override;
  absl::Status scan(const RunFilter& filter, absl::FunctionRef<void(const Run&)> visit) override;
  absl::Status summarize(const SummaryRequest& request, Pieces& pieces) override;
  absl::StatusOr<std::vector<JobHead>> jobs(const std::string& name) override;
  absl::StatusOr<Nanos> complete_since(const std::string& job) override;
  absl::StatusOr<DelayPage> delays(const DelayFilter& filter, const std::optional<FindingCursor>& after,
                                   std::size_t limit) override;
  absl::StatusOr<AlertPage> alerts(const AlertFilter& filter, const std::optional<FindingCursor>& after,
                                   std::size_t limit) override;
  absl::StatusOr<std::optional<Alert>> alert(const Uuid& id) override;
  absl::StatusOr<DelayCounts> delay_counts(const DelayFilter& filter) override;
  absl::StatusOr<AlertCounts> alert_counts(const AlertFilter& filter) override;
  absl::StatusOr<std::vector<std::pair<std::string, std::string>>> watch_states() override;
  absl::Status ready() override;
  absl::StatusOr<std::vector<std::string>> verify(std::size_t differences_max) override;
  absl::Status keep_changes() override;
  absl::StatusOr<Changes> changes(std::size_t limit) override;
  absl::Status drop_changes(const std::string& upto) override { return put_off(upto, {}); }
  std::uint64_t waiting() const override { return waiting_; }
  absl::Status put_off(const std::string& upto, const std::vector<Run>& again) override;

 private:
  // What a commit is about to change.
  struct Staged {
    std::vector<Applied> applied;
    std::vector<RecentPtr> runs;                             // as they will be
    absl::flat_hash_map<Uuid, std::size_t, UuidHash> by_id;  // of those
    std::vector<Settled::Found> withdrawn;                   // to leave the tables, as they are in the tail now
    bool together = false;                                   // some do
  };
  absl::Status stage_all(std::vector<Run>&& runs, Nanos now, Staged& staged) KLEPTO_REQUIRES(writing_);
  absl::StatusOr<Applied> stage(Run&& run, Nanos now, Staged& staged) KLEPTO_REQUIRES(writing_);
  absl::StatusOr<Applied> stage_settled(Run&& run, Nanos now, Staged& staged) KLEPTO_REQUIRES(writing_);
  absl::Status withdraw(Staged& staged) KLEPTO_REQUIRES(writing_);
  void put(Run&& run, Nanos now, std::int64_t open_key, Staged& staged) KLEPTO_REQUIRES(writing_);
  void put_all(std::vector<RecentPtr>& runs) KLEPTO_REQUIRES(writing_);  // into the tail

  using Body = absl::FunctionRef<absl::Status()>;
  using Publish = absl::FunctionRef<void()>;
  // Runs `body` in a transaction and then `publish` under the tail's lock. `together`, which is looked at behind the
  // body: no reader may see the one without the other. Keeps what came of it for ready(), and ends the store on what
  // must not be tried again.
  absl::Status write(Body body, Publish publish, const bool& together) KLEPTO_REQUIRES(writing_);
  absl::Status write(Body body) KLEPTO_REQUIRES(writing_);
  absl::Status begin(Body body) KLEPTO_REQUIRES(writing_);
  absl::Status end(absl::Status status) KLEPTO_REQUIRES(writing_);
  absl::Status roll_back(absl::Status cause) KLEPTO_REQUIRES(writing_);
  void give_up(const absl::Status& cause) KLEPTO_REQUIRES(writing_);
  void checkpoint(int pages_min) KLEPTO_REQUIRES(writing_);
  void checkpoint() KLEPTO_REQUIRES(writing_) { checkpoint(checkpoint_pages_); }
  absl::Status probe();

  // A settling in three steps: the tail is put aside; what is to be written is worked out on another thread; it is
  // written. The last waits for the second, and where it fails the runs are back in the tail.
  absl::Status begin_settling() KLEPTO_REQUIRES(writing_);
  absl::Status finish_settling() KLEPTO_REQUIRES(writing_);
  // finish_settling() from within a transaction that has written nothing yet.
  absl::Status finish_settling_first() KLEPTO_REQUIRES(writing_);
  absl::StatusOr<std::vector<JobOfTail>> jobs_to_settle() KLEPTO_REQUIRES(writing_);
  bool settling() const KLEPTO_REQUIRES(writing_) { return worked_out_.valid(); }
  bool worked_out() const KLEPTO_REQUIRES(writing_);
  void put_back() KLEPTO_REQUIRES(writing_);
  absl::Status settle_all() KLEPTO_REQUIRES(writing_);
  void settle_if_due() KLEPTO_REQUIRES(writing_);
  void let_go_of_memory() KLEPTO_REQUIRES(writing_);
  absl::Status read_specs() KLEPTO_REQUIRES(writing_);
  absl::Status put_findings(const Findings& findings) KLEPTO_REQUIRES(writing_);
  absl::StatusOr<bool> expire_findings(Nanos now) KLEPTO_REQUIRES(writing_);
  absl::StatusOr<bool> expire(Nanos now, Maintenance& done) KLEPTO_REQUIRES(writing_);

  // What the rows of rollups are called by, for one question.
  struct Names {
    std::map<std::int64_t, std::string> jobs;
    std::vector<std::pair<stats::Series, std::int64_t>> series;
  };
  static absl::StatusOr<Names> names_of(View& view, const SummaryRequest& request);
  absl::Status add_stretch(View& view, const SummaryRequest& request, const Names& names, const Stretch& stretch,
                           Pieces& pieces);
  static absl::Status add_rollups(View& view, const SummaryRequest& request, const Names& names, const Stretch& stretch,
                                  Pieces& pieces);
  absl::StatusOr<std::optional<State>> last_verdict(View& view, const std::string& job, const Recent* recent);
  static absl::StatusOr<bool> is_open(View& view, std::int64_t job);
  void leave_out(std::string_view what, const absl::Status& why);
  auto telling() {  // as Settled::Damage
    return [this](std::string_view what, const absl::Status& why) { leave_out(what, why); };
  }
  std::string doing(std::string_view what) const { return absl::StrCat(absl_view(what), " sqlite ", path_); }

  const std::string path_;
  const FileLock lock_;  // let go last
  Mutex writing_;
  Connection writer_ KLEPTO_GUARDED_BY(writing_);
  Settler settler_ KLEPTO_GUARDED_BY(writing_);
  const std::size_t settle_runs_;
  const int checkpoint_pages_;
  std::size_t settle_at_ KLEPTO_GUARDED_BY(writing_) = settle_runs_;     // length of the tail
  std::map<std::string, JobSpec> retained_ KLEPTO_GUARDED_BY(writing_);  // jobs whose runs expire
  Nanos expired_at_ KLEPTO_GUARDED_BY(writing_) = 0;                     // when all of them were last looked at
  bool expiry_due_ KLEPTO_GUARDED_BY(writing_) = true;                   // something came in since
  bool grown_ KLEPTO_GUARDED_BY(writing_) = false;  // memory was taken since it was last given back
  int log_pages_ KLEPTO_GUARDED_BY(writing_) = 0;   // length of the log after the last commit
  bool keeps_changes_ KLEPTO_GUARDED_BY(writing_) = false;
  std::atomic<std::uint64_t> waiting_{0};  // in the list of changes

  std::future<void> disposal_ KLEPTO_GUARDED_BY(writing_);  // of the last tail that was settled

  // Changed under both locks, so that the committer reads them under writing_ alone. No run is in both.
  SharedMutex tail_mutex_;
  Tail tail_;
  Tail settling_;  // put aside; changes only to be dropped
  Tails tails() const { return {&tail_, &settling_}; }

  Health health_;
  DamagedRows damaged_rows_;
  ReaderPool readers_;
  std::int64_t settling_log_end_ KLEPTO_GUARDED_BY(writing_) = 0;
  Connection settling_reader_;  // of the thread that works out a settling, else under writing_
  // Of settling_, on a thread that looks at it and reads: ends before both.
  std::future<absl::StatusOr<Settlement>> worked_out_ KLEPTO_GUARDED_BY(writing_);
};

}  // namespace kleptometrics::aggregator::sqlite
