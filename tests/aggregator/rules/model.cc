#include "tests/aggregator/rules/model.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <utility>

#include "aggregator/rules/findings.h"

namespace kleptometrics::fakes {
namespace {

using aggregator::Alert;
using aggregator::AlertKind;
using aggregator::Delay;
using aggregator::DelayKind;
using aggregator::State;
using aggregator::rules::RunFacts;
using Instants = std::vector<Nanos>;

constexpr Nanos kNever = std::numeric_limits<Nanos>::max();

// The first at the instant or after it.
Nanos first_from(const Instants& sorted, Nanos at) {
  const auto found = std::lower_bound(sorted.begin(), sorted.end(), at);
  return found == sorted.end() ? kNever : *found;
}

// A delay of a start, with all that alerts follow from.
struct Absence {
  Nanos at = 0;                     // when the start was due
  Nanos allowed_until = 0;          // `at` and the grace
  const RunFacts* start = nullptr;  // that came at last; null: none
  Nanos closed_at = kNever;
  bool late = false;  // else missed
};

class Model {
 public:
  Model(const Story& story, const std::vector<Period>& downtimes) : story_(story), downtimes_(downtimes) {
    if (story.pause) {
      breaks_.push_back(story.pause->at);
      if (story.pause->resumed_at) breaks_.push_back(*story.pause->resumed_at);
    }
    for (const RunFacts& run : story.runs) starts_.push_back(run.started_at);
  }

  Told told() {
    if (story_.spec.interval != 0) {
      find_absences_by_interval();
    } else {
      find_absences_by_occurrence();
    }
    for (const Absence& absence : absences_) add_delay(absence);
    add_missed_alerts();
    add_late_alerts();
    for (const RunFacts& run : story_.runs) add_overrun(run);
    add_failing_alerts();
    add_too_short_alerts();
    return std::move(told_);
  }

 private:
  // --- when things are expected

  bool paused(Nanos at) const {
    if (!story_.pause) return false;
    return story_.pause->at <= at && at < std::min(story_.pause->until, story_.pause->resumed_at.value_or(kNever));
  }
  bool quiet(Nanos at) const {
    return paused(at) || std::any_of(story_.windows.begin(), story_.windows.end(),
                                     [at](const Period& window) { return window.holds(at); });
  }
  // The last instant, at the given one or before it, from which occurrences were expected anew.
  Nanos fresh_since(Nanos at) const {
    Nanos since = story_.since;
    for (const Nanos each : breaks_) {
      if (each <= at) since = each;
    }
    return since;
  }
  // When a break ends what is open at the instant.
  Nanos next_break(Nanos at) const { return first_from(breaks_, at); }

  // When the run, as far as it has come by the instant, was taken.
  Nanos taken_at(Nanos at) const {
    for (const Period& down : downtimes_) {
      if (down.since < at && at <= down.until) return down.until;
    }
    return at;
  }
  bool is_history(const RunFacts& run, Nanos taken) const {
    const bool over = run.state != State::kRunning && run.ended_at <= taken;
    return over && run.ended_at < taken - 24 * 3600 * kNanosPerSecond;
  }

  // --- starts at occurrences

  std::optional<Nanos> slot_of(const RunFacts& run) const {
    if (run.scheduled_at) return run.scheduled_at;
    const auto& all = story_.occurrences;
    const auto after = std::upper_bound(all.begin(), all.end(), run.started_at);
    const Nanos next = *after;
    const Nanos previous = *(after - 1);
    if (run.attempt > 1) return previous;
    return run.started_at - previous <= next - run.started_at ? previous : next;
  }

  std::map<Nanos, const RunFacts*> first_starts() const {
    std::map<Nanos, const RunFacts*> first;
    for (const RunFacts& run : story_.runs) first.emplace(*slot_of(run), &run);  // runs are sorted by start
    return first;
  }

  void find_absences_by_occurrence() {
    const auto first = first_starts();
    const auto& all = story_.occurrences;
    for (std::size_t i = 0; i + 1 < all.size(); ++i) {
      const auto found = first.find(all[i]);
      judge_occurrence(all[i], all[i + 1], found == first.end() ? nullptr : found->second);
    }
  }

  void judge_occurrence(Nanos at, Nanos next, const RunFacts* start) {
    const Nanos deadline = at + story_.spec.grace;
    const Nanos end = std::max(next, deadline);
    if (start != nullptr && start->started_at <= deadline) {
      on_time_.push_back(start->started_at);
      return;
    }
    if (quiet(at)) return;
    // Known to be missing before somebody paused or resumed the job.
    const bool missing = at >= story_.since && deadline < story_.until && next_break(at) > deadline;
    const bool named = start != nullptr && start->scheduled_at.has_value();
    const bool in_time_to_be_late = start != nullptr && start->started_at < end;
    const bool late = in_time_to_be_late && ((named && !missing) || at >= fresh_since(start->started_at));
    if (!missing && !late) return;
    Absence absence{at, deadline, start, kNever, late};
    absence.closed_at = late ? start->started_at : std::min(end, next_break(deadline));
    if (missing) missing_from_.push_back(deadline);
    absences_.push_back(absence);
  }

  // --- starts by intervals

  // The first of the instants at whole intervals after `from` that is not quiet.
  Nanos due_after(Nanos from) const {
    Nanos due = from + story_.spec.interval;
    while (quiet(due) && due < story_.until + 400 * 24 * 3600 * kNanosPerSecond) due += story_.spec.interval;
    return due;
  }

  void find_absences_by_interval() {
    Nanos from = story_.since;
    for (const RunFacts& run : story_.runs) {
      judge_gap(from, run.started_at, &run);
      from = run.started_at;
    }
    judge_gap(from, story_.until, nullptr);
  }

  // From one start to the next, or to the end of the story; a break divides it.
  void judge_gap(Nanos from, Nanos to, const RunFacts* start) {
    for (Nanos cut = next_break(from + 1); cut < to; cut = next_break(from + 1)) {
      judge_part(from, cut, nullptr, cut);
      from = cut;
    }
    const bool on_time = judge_part(from, to, start, kNever);
    if (on_time && start != nullptr) on_time_.push_back(start->started_at);
  }

  // Whether the start, if there is one at the end of the part, is on time.
  bool judge_part(Nanos from, Nanos to, const RunFacts* start, Nanos closed_at) {
    const Nanos due = due_after(from);
    const Nanos deadline = due + story_.spec.grace;
    if (deadline >= to) return true;
    missing_from_.push_back(deadline);
    absences_.push_back({due, deadline, start, start != nullptr ? to : closed_at, start != nullptr});
    return false;
  }

  // --- records

  static std::optional<Nanos> closed(Nanos at, Nanos end) {
    return at <= end ? std::optional<Nanos>(at) : std::nullopt;
  }

  void add_delay(const Absence& absence) {
    Delay delay;
    delay.id = aggregator::rules::start_delay_id(story_.job, absence.at);
    delay.kind = absence.late ? DelayKind::kLateStart : DelayKind::kMissed;
    delay.job = story_.job;
    delay.scheduled_at = absence.at;
    delay.expected = story_.spec.grace;
    delay.opened_at = absence.allowed_until;
    delay.closed_at = closed(absence.closed_at, story_.until);
    if (absence.late) delay.run_id = absence.start->id;
    if (absence.late) delay.actual = absence.start->started_at - absence.at;
    told_.delays.push_back(delay);
  }

  Alert& add_alert(AlertKind kind, Uuid id, Nanos opened_at, Nanos closed_at) {
    Alert alert;
    alert.id = id;
    alert.kind = kind;
    alert.job = story_.job;
    alert.opened_at = opened_at;
    alert.closed_at = closed(closed_at, story_.until);
    told_.alerts.push_back(alert);
    return told_.alerts.back();
  }

  void add_missed_alerts() {
    std::sort(missing_from_.begin(), missing_from_.end());
    Nanos closed_at = std::numeric_limits<Nanos>::min();
    for (const Nanos opened_at : missing_from_) {
      if (opened_at < closed_at || quiet(opened_at)) continue;
      closed_at = std::min(first_from(starts_, opened_at + 1), next_break(opened_at));
      const Uuid id = aggregator::rules::alert_id(story_.job, AlertKind::kMissed, opened_at - story_.spec.grace);
      add_alert(AlertKind::kMissed, id, opened_at, closed_at).expected = story_.spec.grace;
    }
  }

  void add_late_alerts() {
    std::vector<Absence> late;
    std::copy_if(absences_.begin(), absences_.end(), std::back_inserter(late), [](const Absence& a) { return a.late; });
    std::sort(late.begin(), late.end(),
              [](const Absence& a, const Absence& b) { return a.start->started_at < b.start->started_at; });
    std::sort(on_time_.begin(), on_time_.end());
    Nanos closed_at = std::numeric_limits<Nanos>::min();
    for (const Absence& absence : late) {
      const Nanos opened_at = absence.start->started_at;
      if (opened_at <= closed_at || quiet(opened_at) || is_history(*absence.start, taken_at(opened_at))) continue;
      closed_at = std::min(first_from(on_time_, opened_at), next_break(opened_at));
      const Uuid id = aggregator::rules::alert_id(story_.job, AlertKind::kLateStart, absence.at);
      Alert& alert = add_alert(AlertKind::kLateStart, id, opened_at, closed_at);
      alert.run_id = absence.start->id;
      alert.expected = story_.spec.grace;
      alert.actual = opened_at - absence.at;
    }
  }

  // --- durations

  void add_overrun(const RunFacts& run) {
    const bool over = run.state != State::kRunning;
    const Nanos length = over ? run.duration : story_.until - run.started_at;
    if (const Nanos limit = story_.spec.max_duration; limit != 0 && length > limit) {
      Delay delay;
      delay.id = aggregator::rules::overrun_id(story_.job, run.id);
      delay.kind = DelayKind::kOverrun;
      delay.job = story_.job;
      delay.run_id = run.id;
      delay.scheduled_at = run.scheduled_at;
      delay.expected = limit;
      delay.opened_at = run.started_at + limit;
      if (over) delay.closed_at = run.ended_at;
      if (over) delay.actual = length;
      told_.delays.push_back(delay);
      add_too_long_alert(AlertKind::kOverrun, run, limit);
    }
    if (story_.limits && length > *story_.limits->too_long) {
      add_too_long_alert(AlertKind::kSlower, run, *story_.limits->too_long);
    }
  }

  void add_too_long_alert(AlertKind kind, const RunFacts& run, Nanos limit) {
    const Nanos opened_at = run.started_at + limit;
    if (quiet(opened_at) || is_history(run, taken_at(opened_at))) return;
    const bool over = run.state != State::kRunning;
    const Uuid id = aggregator::rules::alert_id(story_.job, kind, run.id);
    Alert& alert = add_alert(kind, id, opened_at, over ? run.ended_at : kNever);
    alert.run_id = run.id;
    alert.expected = limit;
    if (over) alert.actual = run.duration;
  }

  // --- ends

  std::vector<const RunFacts*> ended(const std::function<bool(const RunFacts&)>& counts) const {
    std::vector<const RunFacts*> list;
    for (const RunFacts& run : story_.runs) {
      if (run.state != State::kRunning && counts(run)) list.push_back(&run);
    }
    std::sort(list.begin(), list.end(), [](const RunFacts* a, const RunFacts* b) {
      return std::pair(a->ended_at, a->id) < std::pair(b->ended_at, b->id);
    });
    return list;
  }

  // Whether the run at the index ends at least so many in a row of the one sort or the other.
  static bool ends_row(const std::vector<const RunFacts*>& list, std::size_t index, bool failed, std::size_t count) {
    if (index + 1 < count) return false;
    for (std::size_t i = index + 1 - count; i <= index; ++i) {
      if (list[i]->failed() != failed) return false;
    }
    return true;
  }

  void add_failing_alerts() {
    const auto counted = ended([](const RunFacts& run) { return run.state != State::kCanceled; });
    for (const AlertKind kind : {AlertKind::kFailed, AlertKind::kCrashed}) {
      const State state = kind == AlertKind::kFailed ? State::kFailed : State::kCrashed;
      for (std::size_t i = 0; i < counted.size(); ++i) {
        const RunFacts& run = *counted[i];
        if (run.state != state || !ends_row(counted, i, true, story_.spec.failures_before_alert)) continue;
        if (!may_open(run)) continue;
        std::size_t end = i + 1;
        while (end < counted.size() && !ends_row(counted, end, false, story_.spec.successes_before_recovery)) ++end;
        const Uuid id = aggregator::rules::alert_id(story_.job, kind, run.id);
        add_alert(kind, id, run.ended_at, end < counted.size() ? counted[end]->ended_at : kNever).run_id = run.id;
        i = end;
      }
    }
  }

  bool may_open(const RunFacts& run) const { return !quiet(run.ended_at) && !is_history(run, taken_at(run.ended_at)); }

  void add_too_short_alerts() {
    const auto succeeded = ended([](const RunFacts& run) { return run.state == State::kSucceeded; });
    const Nanos allowed = story_.spec.min_duration;
    const Nanos learned = story_.limits ? *story_.limits->too_short : 0;
    const Nanos least = std::max(allowed, learned);
    for (std::size_t i = 0; i < succeeded.size(); ++i) {
      const RunFacts& run = *succeeded[i];
      if (run.duration >= least || !may_open(run)) continue;
      std::size_t end = i + 1;
      while (end < succeeded.size() && succeeded[end]->duration < least) ++end;
      const Uuid id = aggregator::rules::alert_id(story_.job, AlertKind::kTooShort, run.id);
      Alert& alert =
          add_alert(AlertKind::kTooShort, id, run.ended_at, end < succeeded.size() ? succeeded[end]->ended_at : kNever);
      alert.run_id = run.id;
      alert.expected = run.duration < allowed ? allowed : learned;
      alert.actual = run.duration;
      i = end;
    }
  }

  const Story& story_;
  const std::vector<Period>& downtimes_;
  Instants breaks_;  // pause and resumption
  Instants starts_;
  Instants on_time_;       // starts that were on time where they were the first
  Instants missing_from_;  // deadlines without a start up to them
  std::vector<Absence> absences_;
  Told told_;
};

}  // namespace

Told expected_of(const Story& story, const std::vector<Period>& downtimes) { return Model(story, downtimes).told(); }

}  // namespace kleptometrics::fakes
