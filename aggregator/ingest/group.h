// What the committer's thread makes of the submissions that it commits together. Of the committer alone (committer.h).
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "aggregator/ingest/committer.h"

namespace kleptometrics::aggregator {

// One submission, on the stack of its thread. While queued or in a group it belongs to the committing thread.
struct Committer::Waiting {
  std::vector<Command> work;
  TimePoint submitted;
  std::vector<Outcome> outcomes;  // one for each of `work`
  absl::Status status;
  bool released = false;  // under mutex_; everything above is then the submitter's again
  Condition changed;
};

// What one transaction holds. Snapshots go straight through; the store is read only for runs that a report or
// a patch is about, and what the group itself does to those is remembered, for the next command about them.
class Committer::Group {
 public:
  explicit Group(Committer& owner);

  // Which runs reports and patches are about; all submissions of the group first.
  void survey(const Waiting& waiting) {
    size_ += waiting.work.size();
    for (const Command& work : waiting.work) {
      if (const auto* report = std::get_if<ReportRun>(&work)) addressed_.insert(report->run.id);
      if (const auto* patch = std::get_if<PatchRun>(&work)) addressed_.insert(patch->id);
    }
  }
  // Decides each command, or makes it a snapshot to commit. An error is the store's.
  absl::Status add(Waiting& waiting);
  // Commits; an error is the store's, and then nothing was. Aborted: what was decided was overtaken by another process;
  // the commands are as they were, for another group.
  absl::Status commit();

 private:
  // The commands are needed again where the store may refuse what was decided on them.
  bool may_be_repeated() const { return !addressed_.empty() && owner_.store_.shared(); }
  absl::Status add_snapshot(Run&& run, Outcome& outcome);
  absl::Status add_report(const ReportRun& report, Nanos wall, Outcome& outcome);
  absl::Status add_patch(const PatchRun& patch, Nanos wall, Outcome& outcome);
  absl::Status put_job(const PutJob& put, Outcome& outcome);
  absl::Status drop_changes(const DropChanges& drop);
  absl::Status record(const RecordFindings& found, Outcome& outcome);
  absl::Status acknowledge(const Uuid& id, Nanos wall, Outcome& outcome);
  absl::Status pause_job(const PauseJob& pause, Outcome& outcome);
  absl::StatusOr<std::optional<JobSpec>> spec_of(const std::string& job);
  absl::Status reject_damaged(const absl::Status& why, Outcome& outcome);
  absl::StatusOr<std::optional<Run>*> lookup(const Uuid& id);
  absl::Status remember(const Run& incoming);
  // What the witness wants to be told of, by its place in commit_.
  struct Witnessed {
    std::vector<std::size_t> indexes;
    std::vector<Run> runs;
  };
  Witnessed to_be_witnessed() const;
  void tell(Witnessed witnessed, const std::vector<Applied>& applied);
  bool may_appear(const std::string& job, Outcome& outcome);
  bool appeared_elsewhere(const std::string& job);
  void take(Run&& run, Outcome& outcome);
  void settle(Applied applied, Outcome& outcome);
  void appeared(const std::string& job);

  Committer& owner_;
  const TimePoint now_;
  std::size_t size_ = 0;  // commands
  std::set<Uuid> addressed_;
  std::map<Uuid, std::optional<Run>> runs_;  // the addressed ones, as they stand within the group
  std::vector<Basis> bases_;                 // what was stored of them
  std::set<std::string, std::less<>> new_jobs_;
  // To the store, with the outcome of each.
  std::vector<Run> commit_;
  std::vector<Outcome*> outcomes_;
  std::map<std::size_t, std::string> jobs_;  // of those of them whose job is new
};

}  // namespace kleptometrics::aggregator
