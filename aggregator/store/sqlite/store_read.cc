// What readers ask of the store: each takes what it needs of the tail, and the rest from one view of the tables.
#include <algorithm>
#include <set>

#include "aggregator/base/log.h"
#include "aggregator/store/rules.h"
#include "aggregator/store/sqlite/status.h"
#include "aggregator/store/sqlite/store.h"
#include "aggregator/store/sqlite/verify.h"
#include "aggregator/wire/job_spec.h"
#include "aggregator/wire/rollups.h"
#include "aggregator/wire/wire.h"

namespace kleptometrics::aggregator::sqlite {
namespace {

// What the tail says of a job.
struct TailHead {
  RecentPtr newest, verdict;
  bool running = false;
  std::set<Uuid> no_verdicts;  // ended, and say nothing of how the job fares
};

void keep_newer(RecentPtr& known, const RecentPtr& other) {
  if (known == nullptr || newer(other->run, known->run)) known = other;
}

void add_to(TailHead& head, const Tail::OfJob& of_job) {
  keep_newer(head.newest, of_job.rbegin()->second);
  bool judged = false;
  for (auto at = of_job.rbegin(); at != of_job.rend(); ++at) {
    const Run& run = at->second->run;
    if (!judged && is_verdict(run.state)) {
      keep_newer(head.verdict, at->second);
      judged = true;
    }
    if (run.state == State::kCanceled) head.no_verdicts.insert(run.id);
    head.running = head.running || !terminal(run.state);
  }
}

}  // namespace

void SqliteStore::leave_out(std::string_view what, const absl::Status& why) {
  if (!damaged_rows_.first_sight(what)) return;
  log_error(absl::StrCat(absl_view(what), " is left out of answers: ", within(doing("read"), why).message()));
}

absl::StatusOr<std::optional<Run>> SqliteStore::run(const Uuid& id) {
  View view(readers_);
  {
    const SharedLock shared(tail_mutex_);
    for (const Tail* tail : tails())
      if (const Recent* const recent = tail->find(id)) return std::optional<Run>(recent->run);
    if (absl::Status status = view.begin(tails()); !status.ok()) return within(doing("read"), status);
  }
  auto found = view.settled.find(id);
  if (!found.ok()) return within(doing("read"), found.status());
  if (!*found || (*found)->gone) return std::optional<Run>();
  return std::optional<Run>(std::move((*found)->run));
}

absl::StatusOr<RunPage> SqliteStore::runs(const RunFilter& filter, const std::optional<RunCursor>& after,
                                          std::size_t limit) {
  if (limit == 0) return absl::InvalidArgumentError("limit is 0; a page has at least one run");
  limit = std::min(limit, std::numeric_limits<std::size_t>::max() - 1);  // one more is looked for
  View view(readers_);
  std::vector<RecentPtr> recent;
  {
    const SharedLock shared(tail_mutex_);
    if (absl::Status status = view.begin(tails()); !status.ok()) return within(doing("read"), status);
    const auto take = [&](const RecentPtr& each) {
      if (behind(each->run, after) && matches(filter, each->run)) recent.push_back(each);
    };
    for (const Tail* tail : tails()) {
      if (filter.job.empty()) {
        for (const auto& [id, each] : tail->all()) take(each);
      } else if (const Tail::OfJob* const of_job = tail->of_job(filter.job)) {
        const std::size_t enough = recent.size() + limit;  // of each tail
        for (auto at = of_job->rbegin(); at != of_job->rend() && recent.size() <= enough; ++at) take(at->second);
      }
    }
  }
  const auto damage = telling();
  auto settled = view.settled.newest(filter, after, limit + 1, view.hidden, damage);
  if (!settled.ok()) return within(doing("read"), settled.status());
  const auto order = [](const RecentPtr& a, const RecentPtr& b) { return newer(a->run, b->run); };
  const std::size_t kept = std::min(recent.size(), limit + 1);
  std::partial_sort(recent.begin(), recent.begin() + static_cast<std::ptrdiff_t>(kept), recent.end(), order);
  std::vector<Run> all = *std::move(settled);
  for (std::size_t i = 0; i < kept; ++i) all.push_back(recent[i]->run);
  std::ranges::sort(all, newer);
  RunPage page;
  if (all.size() > limit) {
    all.resize(limit);
    page.next = RunCursor{all.back().started_at, all.back().id};
  }
  page.runs = std::move(all);
  return page;
}

absl::Status SqliteStore::scan(const RunFilter& filter, absl::FunctionRef<void(const Run&)> visit) {
  View view(readers_);
  std::vector<RecentPtr> recent;
  {
    const SharedLock shared(tail_mutex_);
    if (absl::Status status = view.begin(tails()); !status.ok()) return within(doing("read"), status);
    for (const Tail* tail : tails()) tail->each(filter.job, [&](const RecentPtr& each) { recent.push_back(each); });
  }
  for (const RecentPtr& each : recent) {
    if (matches(filter, each->run)) visit(each->run);
  }
  const auto damage = telling();
  return within(doing("read"),
                view.settled.scan(filter, view.hidden, false, damage, [&](Run&& run, bool) { visit(run); }));
}

absl::StatusOr<SqliteStore::Names> SqliteStore::names_of(View& view, const SummaryRequest& request) {
  Names names;
  Execution rows(view.reader->prepare("SELECT key, name FROM jobs WHERE name = ?1 OR ?1 = ''"));
  rows.bind_text(1, request.job);
  while (rows.next()) names.jobs.emplace(rows.integer(0), rows.text(1));
  if (!rows.status().ok()) return rows.status();
  names.series.emplace_back(stats::Series{}, kDurations);
  if (request.series.durations()) return names;
  Execution key(view.reader->prepare("SELECT key FROM series WHERE name = ?1"));
  const std::string name = text_of(request.series);
  if (key.bind_text(1, name).next()) names.series.emplace_back(request.series, key.integer(0));
  if (!key.status().ok()) return key.status();
  return names;
}

absl::Status SqliteStore::add_stretch(View& view, const SummaryRequest& request, const Names& names,
                                      const Stretch& stretch, Pieces& pieces) {
  using By = Stretch::By;
  if (stretch.by == By::kRuns || stretch.by == By::kHour) {
    RunFilter filter{.job = request.job,
                     .states = {State::kSucceeded, State::kFailed, State::kCanceled, State::kCrashed}};
    filter.since = stretch.since;
    filter.until = stretch.until;
    const auto damage = telling();
    const absl::Status status = view.settled.scan(filter, view.hidden, stretch.by == By::kHour, damage,
                                                  [&](Run&& run, bool) { pieces.run(run); });
    if (!status.ok() || stretch.by == By::kRuns) return status;
  }
  return add_rollups(view, request, names, stretch, pieces);
}

absl::Status SqliteStore::add_rollups(View& view, const SummaryRequest& request, const Names& names,
                                      const Stretch& stretch, Pieces& pieces) {
  const stats::Resolution resolution = resolution_of(stretch.by);
  const bool at_once = request.job.empty() && stretch.by == Stretch::By::kAll;  // else a job's rows lie together
  for (const auto& [of, series_key] : names.series) {
    const auto visit = [&, &its = of](const RollupKey& key, std::string_view bytes) -> absl::Status {
      const absl::StatusOr<stats::Rollup> rollup = wire::decode_rollup(bytes);
      const auto name = names.jobs.find(key.job);
      if (!rollup.ok()) return rollup.status();
      if (name != names.jobs.end()) pieces.rollup(name->second, key.start, its, *rollup);
      return absl::OkStatus();
    };
    if (at_once) {
      const absl::Status status = read_rollups(*view.reader, {resolution, series_key, 0, 0}, 1, visit);
      if (!status.ok()) return status;
      continue;
    }
    for (const auto& [job, name] : names.jobs) {
      const absl::Status status =
          read_rollups(*view.reader, {resolution, series_key, job, stretch.since}, stretch.until, visit);
      if (!status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

absl::Status SqliteStore::summarize(const SummaryRequest& request, Pieces& pieces) {
  View view(readers_);
  {
    const SharedLock shared(tail_mutex_);
    if (absl::Status status = view.begin(tails()); !status.ok()) return within(doing("read"), status);
    const auto add = [&](const RecentPtr& recent) {
      const Run& run = recent->run;
      if (!terminal(run.state)) return;
      for (const Stretch& stretch : request.stretches) {
        if (holds(stretch, run.started_at)) pieces.run(run);
      }
    };
    for (const Tail* tail : tails()) tail->each(request.job, add);
  }
  const absl::StatusOr<Names> names = names_of(view, request);
  if (!names.ok()) return within(doing("read"), names.status());
  for (const Stretch& stretch : request.stretches) {
    if (absl::Status status = add_stretch(view, request, *names, stretch, pieces); !status.ok())
      return within(doing("read"), status);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<JobHead>> SqliteStore::jobs(const std::string& only) {
  View view(readers_);
  std::map<std::string, TailHead> tails;
  {
    const SharedLock shared(tail_mutex_);
    if (absl::Status status = view.begin(this->tails()); !status.ok()) return within(doing("read"), status);
    for (const Tail* tail : this->tails()) {
      for (const auto& [job, of_job] : tail->jobs()) {
        if (only.empty() || only == job) add_to(tails[job], of_job);
      }
    }
  }
  std::map<std::string, JobHead> heads;
  std::vector<std::string> verdicts_to_find;
  {
    Execution rows(
        view.reader->prepare("SELECT name, spec, last_run, verdict, verdict_at, verdict_id, key FROM jobs"
                             " WHERE name = ?1 OR ?1 = ''"));
    rows.bind_text(1, only);
    while (rows.next()) {
      JobHead& head = heads[std::string(rows.text(0))];
      const auto tail = tails.find(std::string(rows.text(0)));
      const absl::StatusOr<JobSpec> spec = wire::decode_job_spec(rows.blob(1));
      if (spec.ok()) head.spec = *spec;
      if (absl::StatusOr<Run> last = wire::decode_run(rows.blob(2)); last.ok()) head.last_run = *std::move(last);
      if (rows.integer(3) != 0) head.last_verdict = static_cast<State>(rows.integer(3));
      if (absl::StatusOr<bool> open = is_open(view, rows.integer(6)); open.ok()) {
        head.running = *open;
      } else {
        return within(doing("read"), open.status());
      }
      if (tail == tails.end()) continue;
      const Uuid verdict_id = Uuid::from_bytes(rows.blob(5)).value_or(Uuid{});
      const Recent* const recent = tail->second.verdict.get();
      const Tail::Position at(rows.integer(4), verdict_id);
      if (recent != nullptr && Tail::Position(recent->run.started_at, recent->run.id) >= at) {
        head.last_verdict = recent->run.state;
      } else if (tail->second.no_verdicts.contains(verdict_id)) {
        verdicts_to_find.emplace_back(rows.text(0));
      }
    }
    if (!rows.status().ok()) return within(doing("read"), rows.status());
  }
  for (const auto& [name, tail] : tails) {
    JobHead& head = heads[name];
    const Run& newest = tail.newest->run;
    if (!head.last_run || !newer(*head.last_run, newest)) head.last_run = without_steps(newest);
    if (!head.last_verdict && tail.verdict != nullptr) head.last_verdict = tail.verdict->run.state;
    head.running = head.running || tail.running;
  }
  for (const std::string& name : verdicts_to_find) {
    const absl::StatusOr<std::optional<State>> verdict = last_verdict(view, name, tails.at(name).verdict.get());
    if (!verdict.ok()) return within(doing("read"), verdict.status());
    heads[name].last_verdict = *verdict;
  }
  std::vector<JobHead> all;
  for (auto& [name, head] : heads) {
    head.name = name;
    all.push_back(std::move(head));
  }
  return all;
}

// Of the tables and the tail, where the newest that the tables know of is no verdict any more.
absl::StatusOr<std::optional<State>> SqliteStore::last_verdict(View& view, const std::string& job,
                                                               const Recent* recent) {
  const auto damage = telling();
  const RunFilter filter{.job = job, .states = {State::kSucceeded, State::kFailed, State::kCrashed}};
  const auto settled = view.settled.newest(filter, std::nullopt, 1, view.hidden, damage);
  if (!settled.ok()) return settled.status();
  const bool is_settled = !settled->empty() && (recent == nullptr || newer(settled->front(), recent->run));
  if (is_settled) return std::optional<State>(settled->front().state);
  return recent == nullptr ? std::nullopt : std::optional<State>(recent->run.state);
}

absl::StatusOr<bool> SqliteStore::is_open(View& view, std::int64_t job) {
  Execution rows(view.reader->prepare("SELECT key FROM open_runs WHERE job = ?1"));
  rows.with(job);
  while (rows.next()) {
    if (!view.hidden.contains(rows.integer(0))) return true;
  }
  if (!rows.status().ok()) return rows.status();
  return false;
}

absl::StatusOr<Nanos> SqliteStore::complete_since(const std::string& job) {
  ReaderPool::Lease reader = readers_.borrow();
  Execution row(reader->prepare("SELECT max(complete_since) FROM jobs WHERE name = ?1 OR ?1 = ''"));
  const bool there = row.bind_text(1, job).next() && !row.null(0);
  if (!row.status().ok()) return within(doing("read"), row.status());
  return there ? row.integer(0) : std::numeric_limits<Nanos>::min();
}

absl::StatusOr<std::vector<std::string>> SqliteStore::verify(std::size_t differences_max) {
  View view(readers_);
  {
    const SharedLock shared(tail_mutex_);
    if (absl::Status status = view.begin(tails()); !status.ok()) return within(doing("read"), status);
  }
  auto differences = sqlite::verify(*view.reader, differences_max);
  if (!differences.ok()) return within(doing("verify"), differences.status());
  return differences;
}

}  // namespace kleptometrics::aggregator::sqlite
