// The store itself: what changes it (store_write.cc with commit.h, store_keep.cc), what readers ask (store_read.cc,
// store_summary.cc), delays and alerts both ways (store_findings.cc). Opened by open_postgres. The committer has a
// connection of its own under writing_; everybody else borrows one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "aggregator/base/absl_view.h"
#include "aggregator/store/damaged_rows.h"
#include "aggregator/store/postgres/commit.h"
#include "aggregator/store/postgres/connection.h"
#include "aggregator/store/postgres/postgres_store.h"
#include "aggregator/store/postgres/server.h"
#include "aggregator/store/store.h"
#include "lib/base/mutex.h"

namespace kleptometrics::aggregator::postgres {

class PostgresStore final : public Store {
 public:
  PostgresStore(Target target, const PostgresOptions& options);
  ~PostgresStore() override;
  // Makes sure of the tables. Once, before anything else.
  absl::Status start(bool must_exist);

  absl::StatusOr<std::vector<Applied>> commit(std::vector<Run> runs, Nanos now,
                                              const std::vector<Basis>& bases) override;
  absl::Status put_job(const std::string& name, const JobSpec& spec) override;
  absl::Status record(const Findings& findings) override;
  absl::StatusOr<Maintenance> maintain(Nanos now, bool idle) override;
  absl::StatusOr<std::optional<Run>> run(const Uuid& id) override;
  absl::StatusOr<RunAndDelays> run_and_delays(const Uuid& id) override;
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

  bool shared() const override { return true; }
  absl::StatusOr<bool> hold(const std::string& duty, const std::string& holder, Nanos length) override;
  absl::Status keep_changes() override { return absl::OkStatus(); }
  absl::StatusOr<Changes> changes(std::size_t limit) override;
  absl::Status drop_changes(const std::string& upto) override;

 private:
  using Body = absl::FunctionRef<absl::Status(Connection&)>;
  // Runs `body`, a transaction from its BEGIN to its COMMIT, on the writing connection; again where another one was in
  // its way. Keeps what came of it for ready().
  absl::Status write(Body body);
  absl::Status try_write(Body body) KLEPTO_REQUIRES(writing_);
  absl::Status probe();

  void note_unsettled(std::size_t runs);
  absl::Status settle_all(Connection& db);
  void settle_by_and_by();  // the thread's
  void settle_some();
  absl::StatusOr<bool> expire(Connection& db, Nanos now, Maintenance& done);

  template <typename T>
  absl::StatusOr<T> read(absl::FunctionRef<absl::StatusOr<T>(Connection&)> ask);

  void leave_out(std::string_view what, const absl::Status& why);
  auto telling() {  // as Damage
    return [this](std::string_view what, const absl::Status& why) { leave_out(what, why); };
  }
  std::string doing(std::string_view what) const { return absl::StrCat(absl_view(what), " ", server_.name()); }

  const PostgresOptions options_;
  Server server_;
  DamagedRows damaged_rows_;

  Mutex writing_;
  std::optional<Connection> writer_ KLEPTO_GUARDED_BY(writing_);
  JobKeys job_keys_ KLEPTO_GUARDED_BY(writing_);
  bool read_only_ KLEPTO_GUARDED_BY(writing_) = false;  // told of
  Nanos kept_house_at_ KLEPTO_GUARDED_BY(writing_) = 0;
  bool house_due_ KLEPTO_GUARDED_BY(writing_) = true;  // a job is meant to be another one since
  bool written_ KLEPTO_GUARDED_BY(writing_) = false;   // anything was

  Mutex state_mutex_;
  Condition state_changed_;
  bool write_failed_ KLEPTO_GUARDED_BY(state_mutex_) = false;  // the last one
  std::size_t unsettled_ KLEPTO_GUARDED_BY(state_mutex_) = 0;  // runs of this process, at most
  bool stopping_ KLEPTO_GUARDED_BY(state_mutex_) = false;

  std::thread settling_;
};

template <typename T>
absl::StatusOr<T> PostgresStore::read(absl::FunctionRef<absl::StatusOr<T>(Connection&)> ask) {
  absl::StatusOr<Server::Lease> db = server_.borrow();
  if (!db.ok()) return absl::UnavailableError(absl::StrCat(doing("connect to"), ": ", db.status().message()));
  absl::StatusOr<T> answer = ask(**db);
  if (answer.ok()) return answer;
  return absl::Status(answer.status().code(), absl::StrCat(doing("read"), ": ", answer.status().message()));
}

}  // namespace kleptometrics::aggregator::postgres
