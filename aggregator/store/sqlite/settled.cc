#include "aggregator/store/sqlite/settled.h"

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregator/store/sqlite/status.h"
#include "aggregator/wire/wire.h"

namespace kleptometrics::aggregator::sqlite {
namespace {

constexpr Nanos kEver = std::numeric_limits<Nanos>::min();
constexpr Nanos kNever = std::numeric_limits<Nanos>::max();

constexpr std::int64_t bit(State state) { return std::int64_t{1} << static_cast<int>(state); }
constexpr std::int64_t kBad = bit(State::kFailed) | bit(State::kCanceled) | bit(State::kCrashed);

// The newest of what is put in, at most so many.
class Newest {
 public:
  Newest(std::size_t limit, const std::optional<RunCursor>& after) : limit_(limit), after_(after) {}

  // False if a run that starts then, or earlier, cannot be among them.
  bool wants(Nanos start) const { return runs_.size() < limit_ || start >= runs_.front().started_at; }
  void put(Run&& run) {
    if (!wants(run.started_at) || !behind(run, after_)) return;
    runs_.push_back(std::move(run));
    std::push_heap(runs_.begin(), runs_.end(), newer);  // the oldest in front
    if (runs_.size() <= limit_) return;
    std::pop_heap(runs_.begin(), runs_.end(), newer);
    runs_.pop_back();
  }
  std::vector<Run> take() {
    std::sort_heap(runs_.begin(), runs_.end(), newer);
    return std::move(runs_);
  }

 private:
  const std::size_t limit_;
  const std::optional<RunCursor>& after_;
  std::vector<Run> runs_;
};

// The first instant that is too late.
Nanos end_of(const RunFilter& filter, const std::optional<RunCursor>& after) {
  const Nanos until = filter.until.value_or(kNever);
  return after ? std::min(until, after->started_at + 1) : until;
}

// Bit i for state i; all for none.
std::int64_t mask_of(const std::vector<State>& states) {
  std::int64_t mask = states.empty() ? -1 : 0;
  for (const State state : states) mask |= bit(state);
  return mask;
}

std::string chunk_name(std::int64_t key) { return absl::StrCat("the chunk ", key, " of runs"); }

// A stop of an iteration is no error.
absl::Status unless(bool corrupt, std::string_view what, const absl::Status& status, Settled::Damage damage) {
  if (status.ok() || !corrupt) return status;
  damage(what, status);
  return absl::OkStatus();
}

}  // namespace

bool newer(const Run& a, const Run& b) { return std::tie(a.started_at, a.id) > std::tie(b.started_at, b.id); }

bool behind(const Run& run, const std::optional<RunCursor>& after) {
  return !after || std::tie(run.started_at, run.id) < std::tie(after->started_at, after->id);
}

absl::Status damaged(const absl::Status& status) {
  return absl::IsDataLoss(status) ? absl::UnknownError(status.message()) : status;
}

absl::StatusOr<std::int64_t> Settled::job_key(std::string_view name) {
  Execution found(db_.prepare("SELECT key FROM jobs WHERE name = ?1"));
  if (found.bind_text(1, name).next()) return found.integer(0);
  if (!found.status().ok()) return found.status();
  return 0;
}

absl::StatusOr<wire::ChunkReader> Settled::chunk(std::int64_t key) {
  Execution row(db_.prepare("SELECT bytes, first_start, last_start FROM chunks WHERE key = ?1"));
  if (!row.with(key).next()) {
    if (row.corrupt()) return absl::UnknownError(row.status().message());
    if (!row.status().ok()) return row.status();
    return absl::UnknownError(absl::StrCat(chunk_name(key), " is missing"));
  }
  absl::StatusOr<wire::ChunkReader> in = wire::ChunkReader::open(row.blob(0));
  if (!in.ok()) return damaged(in.status());
  if (in->size() == 0) return in;
  Nanos first = kNever;
  Nanos last = kEver;
  for (std::size_t at = 0; at < in->size(); ++at) {
    first = std::min(first, in->started_at(at));
    last = std::max(last, in->started_at(at));
  }
  if (first != row.integer(1) || last != row.integer(2)) return absl::UnknownError("the row of a chunk holds another");
  return in;
}

absl::StatusOr<std::optional<Settled::Found>> Settled::find(const Uuid& id) {
  std::vector<Place> places;
  {
    Execution rows(db_.prepare("SELECT place FROM ids WHERE key = ?1"));
    rows.with(key_of(id));
    while (rows.next()) places.push_back({rows.integer(0)});
    if (!rows.status().ok()) return damaged(rows.status());
  }
  for (const Place place : places) {
    if (place.is_open()) {
      Execution row(db_.prepare("SELECT bytes FROM open_runs WHERE key = ?1"));
      if (!row.with(place.open_key()).next())
        return damaged(row.status().ok() ? absl::DataLossError("an open run is missing") : row.status());
      absl::StatusOr<Run> run = wire::decode_run(row.blob(0));
      if (!run.ok()) return damaged(run.status());
      if (run->id == id) return Found{place, false, false, *std::move(run)};
      continue;
    }
    const absl::StatusOr<wire::ChunkReader> in = chunk(place.chunk());
    if (!in.ok()) return in.status();
    if (const auto at = in->at_slot(place.slot())) {
      if (in->id(*at) != id) continue;
      absl::StatusOr<Run> run = in->run(*at);
      if (!run.ok()) return damaged(run.status());
      return Found{place, false, in->in_hours(*at), *std::move(run)};
    }
    if (std::ranges::find(in->gone(), id) != in->gone().end()) return Found{place, true};
  }
  return std::optional<Found>();
}

absl::StatusOr<std::optional<Settled::Selection>> Settled::select(const RunFilter& filter, Nanos end) {
  std::int64_t job = 0;
  if (!filter.job.empty()) {
    const absl::StatusOr<std::int64_t> key = job_key(filter.job);
    if (!key.ok()) return key.status();
    if (*key == 0) return std::optional<Selection>();
    job = *key;
  }
  return Selection{filter, job, filter.since.value_or(kEver), end, mask_of(filter.states)};
}

absl::Status Settled::each_in_chunk(const Selection& of, std::int64_t key, std::optional<std::uint32_t> slot,
                                    Damage damage, absl::FunctionRef<bool(Nanos)> wants,
                                    absl::FunctionRef<void(Run&&, bool in_hours)> visit) {
  const absl::StatusOr<wire::ChunkReader> in = chunk(key);
  if (!in.ok()) {
    if (!absl::IsUnknown(in.status())) return in.status();
    damage(chunk_name(key), in.status());
    return absl::OkStatus();
  }
  for (std::size_t at = 0; at < in->size(); ++at) {
    const Nanos start = in->started_at(at);
    if (start < of.since || start >= of.end || !wants(start) || (of.states & bit(in->state(at))) == 0) continue;
    if ((slot && in->slot(at) != *slot) || (of.loose && in->in_hours(at))) continue;
    if (of.job != 0 && in->job(at) != of.filter.job) continue;
    absl::StatusOr<Run> run = in->run(at);
    if (!run.ok()) {
      damage(chunk_name(key), run.status());
    } else if (matches(of.filter, *run)) {
      visit(*std::move(run), in->in_hours(at));
    }
  }
  return absl::OkStatus();
}

absl::Status Settled::each_open(const Selection& of, const Hidden& hidden, Damage damage,
                                absl::FunctionRef<bool(Nanos)> wants, absl::FunctionRef<void(Run&&)> visit) {
  if ((of.states & bit(State::kRunning)) == 0) return absl::OkStatus();
  Execution rows(db_.prepare(of.job != 0
                                 ? "SELECT key, bytes, started_at FROM open_runs WHERE job = ?3 AND started_at >= ?1"
                                   " AND started_at < ?2 ORDER BY started_at DESC"
                                 : "SELECT key, bytes, started_at FROM open_runs WHERE started_at >= ?1"
                                   " AND started_at < ?2 AND ?3 = 0 ORDER BY started_at DESC"));
  rows.with(of.since, of.end, of.job);
  while (rows.next() && wants(rows.integer(2))) {
    if (hidden.contains(rows.integer(0))) continue;
    absl::StatusOr<Run> run = wire::decode_run(rows.blob(1));
    if (!run.ok()) {
      damage(absl::StrCat("the open run ", rows.integer(0)), run.status());
      continue;
    }
    if (matches(of.filter, *run)) visit(*std::move(run));
  }
  return unless(rows.corrupt(), "the table of open runs", rows.status(), damage);
}

absl::StatusOr<std::vector<Run>> Settled::newest(const RunFilter& filter, const std::optional<RunCursor>& after,
                                                 std::size_t limit, const Hidden& hidden, Damage damage) {
  const absl::StatusOr<std::optional<Selection>> selected = select(filter, end_of(filter, after));
  if (!selected.ok()) return selected.status();
  if (!*selected) return std::vector<Run>();
  const Selection& of = **selected;
  Newest best(limit, after);
  const auto wants = [&best](Nanos start) { return best.wants(start); };
  if (absl::Status status = each_open(of, hidden, damage, wants, [&best](Run&& run) { best.put(std::move(run)); });
      !status.ok())
    return status;
  if ((of.states & ~bit(State::kRunning)) == 0) return best.take();

  const auto put = [&best](Run&& run, bool) { best.put(std::move(run)); };
  if (of.job == 0 && (of.states & ~kBad) == 0) {
    Execution rows(
        db_.prepare("SELECT started_at, place FROM bad WHERE started_at >= ?1 AND started_at < ?2"
                    " ORDER BY started_at DESC"));
    rows.with(of.since, of.end);
    while (rows.next() && best.wants(rows.integer(0))) {
      const Place place{rows.integer(1)};
      const absl::Status status = each_in_chunk(of, place.chunk(), place.slot(), damage, wants, put);
      if (!status.ok()) return status;
    }
    if (absl::Status status = unless(rows.corrupt(), "the list of what failed", rows.status(), damage); !status.ok())
      return status;
    return best.take();
  }
  Execution rows(db_.prepare(of.job != 0
                                 ? "SELECT chunk, last_start FROM slices WHERE job = ?4 AND last_start >= ?1 AND"
                                   " first_start < ?2 AND states & ?3 ORDER BY last_start DESC"
                                 : "SELECT key, last_start FROM chunks WHERE last_start >= ?1 AND first_start < ?2"
                                   " AND states & ?3 AND ?4 = 0 ORDER BY last_start DESC"));
  rows.with(of.since, of.end, of.states, of.job);
  while (rows.next() && best.wants(rows.integer(1))) {
    const absl::Status status = each_in_chunk(of, rows.integer(0), std::nullopt, damage, wants, put);
    if (!status.ok()) return status;
  }
  if (absl::Status status = unless(rows.corrupt(), "the list of chunks", rows.status(), damage); !status.ok())
    return status;
  return best.take();
}

absl::Status Settled::scan(const RunFilter& filter, const Hidden& hidden, bool loose, Damage damage,
                           absl::FunctionRef<void(Run&&, bool in_hours)> visit) {
  absl::StatusOr<std::optional<Selection>> selected = select(filter, filter.until.value_or(kNever));
  if (!selected.ok() || !*selected) return selected.status();
  Selection& of = **selected;
  of.loose = loose;
  const auto all = [](Nanos) { return true; };
  if (!loose) {
    const absl::Status status = each_open(of, hidden, damage, all, [&](Run&& run) { visit(std::move(run), false); });
    if (!status.ok()) return status;
  }
  Execution rows(db_.prepare(
      of.job != 0
          ? "SELECT chunk FROM slices WHERE job = ?4 AND last_start >= ?1 AND first_start < ?2 AND states & ?3"
            " AND (loose > 0 OR ?5 = 0)"
          : "SELECT key FROM chunks WHERE last_start >= ?1 AND first_start < ?2 AND states & ?3 AND ?4 = 0 AND ?5 >= 0"));
  rows.with(of.since, of.end, of.states, of.job, std::int64_t{loose ? 1 : 0});
  while (rows.next()) {
    const absl::Status status = each_in_chunk(of, rows.integer(0), std::nullopt, damage, all, visit);
    if (!status.ok()) return status;
  }
  return unless(rows.corrupt(), "the list of chunks", rows.status(), damage);
}

}  // namespace kleptometrics::aggregator::sqlite
