// When a job is expected, and when nobody minds: the schedule and the maintenance windows of a specification, ready to
// be asked. Whoever lets a specification in builds one, to see that it can be read; whoever judges runs asks it. Pure:
// it knows no present, and every answer depends on its arguments and the zone alone. Any thread may ask a Schedule that
// nobody assigns to; copies are cheap.
#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "aggregator/model/job.h"
#include "aggregator/schedule/cron.h"

namespace kleptometrics::aggregator::schedule {

// The first cron expression or zone of a specification that cannot be read, by the field of the API: `schedule.cron`,
// `timezone`, `maintenance[2].cron`; nullopt if all can. What validate() asks is not asked again.
std::optional<FieldError> unreadable(const JobSpec& spec);

class Schedule {
 public:
  // InvalidArgument `FIELD: DETAIL` where unreadable() finds something. Requires a specification that validate() has
  // passed.
  static absl::StatusOr<Schedule> of(const JobSpec& spec);

  // Whether the job has occurrences, which next() and previous() tell. One that has none may have an interval.
  bool has_occurrences() const { return cron_.has_value(); }
  // From one start to the next; 0: none. Its occurrences are not fixed: they count from the last start.
  Nanos interval() const { return interval_; }

  // Occurrences follow the clock of the job's zone. One at an hour that is left out, when the clock is put forward,
  // comes when it is put forward; all those that are left out at once come as one, also with one that is due then. One
  // at an hour that comes twice, when the clock is put back, comes the first time.
  //
  // The first after the instant, and not at it; nullopt without a cron expression, and where the next would reach
  // kNanosEnd; none is before 1970. Few microseconds.
  std::optional<Nanos> next(Nanos after) const;
  // The last at the instant or before it: previous(t) <= t < next(t). nullopt without a cron expression,
  // and where it was before 1970.
  std::optional<Nanos> previous(Nanos at) const;

  // Windows are half-open; one that returns begins like an occurrence and lasts its duration by a stop-watch, whatever
  // is done to the clock meanwhile.
  bool in_maintenance(Nanos at) const { return maintenance_end(at).has_value(); }
  // When the windows that hold the instant have all ended; nullopt if none holds it. Another may have begun by then.
  std::optional<Nanos> maintenance_end(Nanos at) const;

 private:
  struct Window {
    std::optional<Cron> cron;  // none: it comes once
    Nanos since = 0;
    Nanos until = 0;
    Nanos duration = 0;
  };

  Schedule() = default;
  friend std::optional<FieldError> unreadable(const JobSpec& spec);
  static std::optional<FieldError> read(const JobSpec& spec, Schedule& into);
  std::optional<Nanos> next_of(const Cron& cron, Nanos after) const;
  std::optional<Nanos> previous_of(const Cron& cron, Nanos at) const;

  std::optional<Cron> cron_;
  Nanos interval_ = 0;
  absl::TimeZone zone_ = absl::UTCTimeZone();
  std::vector<Window> maintenance_;
};

}  // namespace kleptometrics::aggregator::schedule
