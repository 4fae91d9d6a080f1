// kleptometrics::query: asks kleptometricsd what it knows, and answers in plain structs. A second, small library beside
// the one that times runs; link kleptometrics::query. For programs that act on their own history:
//
//   const kleptometrics::query::Aggregator aggregator;               // found as the client library finds it
//   const auto stats = aggregator.stats("nightly-billing");          // false: stats.error() says why not
//   if (stats && stats->count >= 20) {
//     const std::chrono::duration<double> limit(1.5 * *stats->p95);  // seconds
//     options.max_duration = std::chrono::duration_cast<kleptometrics::Duration>(limit);
//   }
//
// NOTHING HERE THROWS, also not in a program built without exceptions: a call answers with a Result, which holds what
// was asked for or an Error. Nothing is printed, and no signal is raised or handled.
//
// A CALL WAITS for its answer, at most AggregatorOptions::timeout: ask where the program can afford that, before the
// hot part, and go on without an answer. Nothing is kept between calls; each makes a connection of its own.
//
// TIMES are instants of the wall clock (WallTime) and lengths in nanoseconds (Duration). Values of Stats are doubles:
// seconds where a time is measured, else the unit of the measure. What is not known is an empty std::optional, or an
// empty text. Fields mean what the REST API says of those of the same name.
//
// The structs are plain values, owned by whoever holds them, and may be copied, changed and shared as such.
#pragma once

#include <kleptometrics/kleptometrics.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kleptometrics::query {

// ---- Results

// Why there is no answer.
struct Error {
  // The HTTP status: 400 the question makes no sense (`field` names what is at fault), 404 no such job or run, 503 the
  // aggregator is busy, worth a retry. 0: no answer that could be understood came within the time, `detail` says
  // whether it could not be reached, was too slow, or was no kleptometricsd; worth a retry later.
  int status = 0;
  std::string title;   // the kind of error in two or three words: `Not Found`
  std::string detail;  // a sentence for a person
  std::string field;   // the parameter at fault; empty: none
};

// What a call answers: a T, or an Error. Test it before use, and keep it for as long as its value is looked at: a loop
// over `aggregator.runs()->runs` would run over what is gone. One thread at a time, as any value.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}      // NOLINT(google-explicit-constructor): `return stats;`
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor): `return error;`

  // True if there is a value.
  bool ok() const noexcept { return value_.has_value(); }
  explicit operator bool() const noexcept { return ok(); }

  // The value, which stays the Result's. Require ok().
  T& operator*() & noexcept { return *value_; }
  const T& operator*() const& noexcept { return *value_; }
  T&& operator*() && noexcept { return *std::move(value_); }
  T* operator->() noexcept { return &*value_; }
  const T* operator->() const noexcept { return &*value_; }

  // Why there is no value; with one, an Error whose texts are empty.
  const Error& error() const noexcept { return error_; }

 private:
  std::optional<T> value_;
  Error error_;
};

// ---- Answers

// A value and the run that set it.
struct Extreme {
  double value = 0;
  std::string run_id;  // UUID in text
  WallTime at;         // when that run started
};

// Statistics of a set of runs. Values are those of succeeded runs, unless the question named other outcomes.
struct Stats {
  std::string job, measure;  // as asked for
  std::string step;          // likewise; empty: of the run itself
  std::uint64_t count = 0;   // values measured. While it is 0, everything optional but success_rate is empty
  std::optional<double> min, max, mean;
  std::optional<double> stddev;                 // of the population
  std::optional<double> median, p90, p95, p99;  // the value at rank ceil(q count) of the values in order
  std::optional<Extreme> high, low;             // of equal values the earliest run
  // Runs that ended, by outcome; of all that were asked about, whatever is measured.
  std::uint64_t succeeded = 0, failed = 0, canceled = 0, crashed = 0;
  std::uint64_t late = 0;              // started later than their grace allows
  std::uint64_t overrun = 0;           // ran longer than their job allows
  std::uint64_t missed = 0;            // were expected and never started
  std::optional<double> success_rate;  // succeeded / (succeeded + failed + crashed), 0 to 1; empty: none of these
  double quantile_error = 0;           // guaranteed relative error of the quantiles; 0: they are exact
  // True where runs have expired that would be needed one by one: the runs counted are then those from `since` until
  // `until` (empty: unbounded), rounded outward to whole hours or days, or with other filters what is left of them.
  bool approximate = false;
  std::optional<WallTime> since, until;
};

// All executions of one step of a run, added up.
struct Step {
  std::string name;  // a path: `load/parse` for a step within a step
  std::uint64_t count = 0;
  std::uint64_t failed = 0;
  Duration total{};
  std::optional<Duration> min, max;     // empty while count is 0
  std::optional<Duration> median, p95;  // within 0.55 %; empty where the run carries no distribution
};

// Why a run failed.
struct Failure {
  std::string kind;     // reported, exception, exit_code, signal or lost
  std::string message;  // may be empty
  int signal = 0;       // its number, where kind is `signal`
};

// What a run used of its machine.
struct Resources {
  std::optional<Duration> cpu_user, cpu_system;
  std::optional<std::uint64_t> max_rss_bytes, read_bytes, write_bytes;
};

// When a run will end: as likely as not before `median`; one of twenty ends before `low`, one behind `high`.
struct Eta {
  WallTime median, low, high;
};

// One execution of a job, as the aggregator knows it.
struct Run {
  std::string id;  // UUID in text
  std::string job;
  State state = State::kRunning;
  std::uint64_t revision = 0;  // rises with every change
  std::uint32_t attempt = 1;   // 2 for the first retry
  std::string parent_id;       // empty: none
  WallTime started_at;
  std::optional<WallTime> scheduled_at, finished_at;
  std::optional<Duration> duration;     // while it runs: so far, as of the last report
  std::optional<Duration> start_delay;  // started_at - scheduled_at; negative: it was early
  std::optional<double> progress;       // 0 to 1
  std::optional<Eta> eta;               // while it runs, where it is known
  std::optional<int> exit_code;
  std::optional<Failure> failure;
  std::map<std::string, std::string> labels;
  std::map<std::string, double> counters;
  std::vector<Step> steps;  // in order of first use
  Resources resources;
  std::string host, program;
  std::uint32_t pid = 0;  // 0: unknown
  std::string version, build_id;
  std::string boot_id;        // of the boot that the pid is one of
  std::uint64_t dropped = 0;  // reports, of any run, that the program's client had lost by then
};

// When nobody minds what happens to a job, or fails to.
struct MaintenanceWindow {
  WallTime since{}, until{};  // of one that comes once
  std::string cron;           // of one that returns: when it begins; empty: it comes once
  Duration duration{};        // of one that returns
};

// What the runs of a job usually take, learned from the newest that succeeded. Seconds.
struct Typical {
  double median = 0;
  double low = 0, high = 0;      // 5 % and 95 % quantiles
  std::optional<double> period;  // median from start to start, where starts are regular
};

struct Job {
  std::string name;
  std::string status;           // paused, overrunning, late, failing, running, ok or new
  std::optional<Run> last_run;  // newest start, without its steps
  Stats stats;                  // durations of succeeded runs, of all time
  std::string description;
  std::vector<std::string> tags;     // sorted
  std::uint32_t retention_days = 0;  // how long single runs are kept; 0: for ever
  // When runs are expected to start: one of the two, or neither.
  std::string cron;
  std::optional<Duration> interval;  // from one start to the next
  std::string timezone;              // of cron expressions; empty: UTC
  Duration grace{};                  // start delay that is still on time
  std::optional<Duration> max_duration, min_duration;
  std::uint32_t failures_before_alert = 1, successes_before_recovery = 1;  // in a row
  std::vector<MaintenanceWindow> maintenance;
  bool paused = false;                       // not expected to run
  std::optional<WallTime> paused_until;      // absent while it is paused: until it is resumed
  std::optional<WallTime> next_expected_at;  // of an interval be it past
  std::optional<Typical> typical;            // of one job that is asked for by its name, with at least 8 such runs
};

// A part of a list. `next_page_token` goes into the next question; empty: nothing is left.
struct RunPage {
  std::vector<Run> runs;  // newest start first
  std::string next_page_token;
};
struct JobPage {
  std::vector<Job> jobs;
  std::string next_page_token;
};

// The runs that started in [start, end).
struct Bucket {
  WallTime start, end;
  Stats stats;
};

struct History {
  std::vector<Bucket> buckets;      // in order of time; none is empty, so they need not touch
  std::optional<Bucket> peak, low;  // with the highest and with the lowest median; of equal ones the earliest
  // As in Stats: at the edges, or somewhere within, where the stats of a bucket say so too.
  bool approximate = false;
  std::optional<WallTime> since, until;
};

// The runs that started in one hour of one weekday, of all weeks, by the clock of the time zone asked for.
struct Cell {
  std::string weekday;  // monday to sunday
  int hour = 0;         // 0 to 23
  Stats stats;
};

struct Profile {
  std::vector<Cell> cells;        // by weekday, from Monday, and hour; none is empty
  std::optional<Cell> peak, low;  // with the highest and with the lowest median; of equal ones the first
  bool approximate = false;       // as in Stats
  std::optional<WallTime> since, until;
};

// A job, and the value that it is ranked by: seconds, or a number of runs.
struct RankedJob {
  std::string job;
  double value = 0;
  Stats stats;  // durations of succeeded runs
};

struct Top {
  std::string by;               // as asked for
  std::vector<RankedJob> jobs;  // highest value first, equal ones by name
  bool approximate = false;     // as in Stats
  std::optional<WallTime> since, until;
};

// The window against the baseline: of the whole run, or of one step of it.
struct Difference {
  std::string step;  // empty: the whole run
  Stats window, baseline;
  std::optional<double> median_ratio, p95_ratio;  // window / baseline; empty where that is no number
  std::optional<double> probability_slower;       // that a run of the window took longer than one of the baseline
  std::optional<double> p_value;                  // two-sided, of the Mann-Whitney U test
  std::string verdict;                            // slower, faster, unchanged or insufficient_data
  std::optional<double> effect_size;              // Cliff's delta, -1 to 1: 2 * probability_slower - 1
  std::optional<double> shift;                    // the Hodges-Lehmann estimate of what lies between the two
  std::string explanation;                        // a sentence with its arithmetic
};

// Seconds for one of what a counter counts.
struct PerCounter {
  std::string counter;
  std::optional<double> window_median, baseline_median;
  std::optional<double> ratio;          // of these two
  std::optional<double> p_value;        // as in Difference
  std::string verdict;                  // likewise
  std::optional<double> counter_ratio;  // of the medians of the counter itself
};

struct Comparison {
  Difference total;
  std::vector<Difference> steps;         // largest difference of total time first
  std::optional<PerCounter> normalized;  // where there was only more or less to do: the counter that says so
};

// One value of a run against that of another run, or against the median of a baseline. Times in seconds.
struct PartDifference {
  std::string name;                        // of the step, counter or resource; empty: the whole run
  std::optional<double> value, reference;  // of a step: empty where it did not run
  std::optional<double> difference;        // value - reference
  std::optional<double> ratio;             // value / reference
};

struct RunComparison {
  Run run;                                // without its steps, as is the other
  std::optional<Run> to;                  // the run that was asked for
  std::optional<Stats> baseline;          // else the durations of the 200 succeeded runs before it
  std::optional<double> percentile_rank;  // share of the baseline's runs that took less time, 0 to 1
  PartDifference total;
  std::vector<PartDifference> steps, counters;  // largest difference first
  std::vector<PartDifference> resources;        // cpu_seconds, max_rss_bytes, read_bytes, write_bytes
  std::string verdict;                          // as in Difference
  std::string explanation;
};

// A point at which the level of a job changed.
struct ChangePoint {
  WallTime at;  // start of the first run at the new level
  double median_before = 0, median_after = 0;
  std::optional<double> ratio;                                 // after / before
  double p_value = 1;                                          // corrected for the place having been looked for
  std::uint64_t runs_before = 0, runs_after = 0;               // from the change before, to the change after
  std::vector<std::string> versions_before, versions_after;    // of the last runs before and the first after; sorted
  std::vector<std::string> build_ids_before, build_ids_after;  // likewise
  std::string verdict;                                         // slower or faster
  std::string explanation;
};

struct Changes {
  std::string job, measure, step;    // as asked for
  std::uint64_t points = 0;          // that were looked at
  std::vector<ChangePoint> changes;  // in order of time
};

// A start or a run that is, or was, behind its time.
struct Delay {
  std::string id;    // UUID in text
  std::string kind;  // late_start, missed or overrun
  std::string job;
  std::string run_id;                    // UUID in text; empty: no run has started
  std::optional<WallTime> scheduled_at;  // of a run that has a schedule
  Duration expected{};                   // of a start: the grace; of an overrun: the allowed duration
  std::optional<Duration> actual;        // the measured delay or duration; empty while it is not known
  WallTime opened_at;
  std::optional<WallTime> closed_at;  // empty: it lasts
};

// Something that somebody should know, from when it began until it was over.
struct Alert {
  std::string id;    // UUID in text
  std::string kind;  // failed, crashed, late_start, missed, overrun, too_short or slower
  std::string job;
  std::string run_id;  // UUID in text, of the run that opened it; empty: none did
  WallTime opened_at;
  std::optional<WallTime> closed_at;        // empty: it is open
  std::optional<WallTime> acknowledged_at;  // empty: nobody has
  std::string message;                      // a sentence with its arithmetic
  std::optional<Duration> expected, actual;
};

// Open ones first, then the newest opened. `next_page_token` as of runs.
struct DelayPage {
  std::vector<Delay> delays;
  std::string next_page_token;
};
struct AlertPage {
  std::vector<Alert> alerts;
  std::string next_page_token;
};

// ---- Questions: plain structs with defaults; set what matters.

// Which runs a question is about; what is left empty selects all. Used by most questions below.
struct Filter {
  std::optional<WallTime> since, until;                     // started_at in [since, until)
  std::string host, version, build_id;                      // exactly these
  std::vector<std::pair<std::string, std::string>> labels;  // all must match
};

// Lists come in pages of at most `limit`.
struct Page {
  std::size_t limit = 50;  // 1 to 1000
  std::string token;       // next_page_token of the page before; empty: from the start
};

struct JobsQuestion {
  std::string search;             // a part of the name
  std::string status;             // one of Job::status
  std::string tag;                // one that the job has
  bool newest_run_first = false;  // instead of by name
  Page page;
};

struct RunsQuestion {
  std::string job;            // empty: of all jobs
  std::vector<State> states;  // empty: in any
  Filter filter;
  Page page;
};

struct StatsQuestion {
  // duration, start_delay, cpu (seconds), max_rss_bytes, counter:NAME or seconds_per:NAME (duration divided by that
  // counter). Empty: duration.
  std::string measure;
  std::string step;             // a path: measures the step's total time. With duration alone
  std::vector<State> outcomes;  // whose values are measured; empty: kSucceeded
  Filter filter;
};

enum class BucketWidth { kHour, kDay, kWeek, kMonth };  // weeks start on Monday

struct HistoryQuestion {
  BucketWidth width = BucketWidth::kDay;
  std::string timezone;         // IANA name, `Europe/Berlin`: whose days and hours; empty: UTC
  std::uint64_t min_count = 1;  // values that a bucket needs to be the peak or the low
  StatsQuestion of;
};

struct ProfileQuestion {
  std::string timezone;         // IANA name: whose weekdays and hours; empty: UTC
  std::uint64_t min_count = 1;  // values that a cell needs to be the peak or the low
  StatsQuestion of;
};

// By the median, the 95th percentile, the longest or the sum of the durations of succeeded runs; by the number of runs
// that failed or crashed, or that started late.
enum class RankBy { kMedian, kP95, kMax, kTotal, kFailures, kDelays };

struct TopQuestion {
  RankBy by = RankBy::kMedian;
  std::optional<WallTime> since, until;  // started_at in [since, until)
  std::size_t limit = 20;                // 1 to 1000
};

// Filter::since and until are the window. Left empty: the last 30 succeeded runs (before `until`). Without
// baseline_since the baseline is the 200 succeeded runs before the window, or before baseline_until. The two must not
// overlap.
struct CompareQuestion {
  std::string measure, step;  // as in StatsQuestion
  std::optional<WallTime> baseline_since, baseline_until;
  // The baseline is of these, in place of the filter's. Where both name one, neither side needs to end before the
  // other.
  std::string baseline_version, baseline_build_id;
  Filter filter;  // of both sides, but for since and until
};

struct ChangesQuestion {
  std::string measure, step;  // as in StatsQuestion
  Filter filter;
};

// What is left empty selects all.
struct DelaysQuestion {
  std::optional<bool> open;        // those that are open, or those that are closed
  std::vector<std::string> kinds;  // one of Delay::kind, or of Alert::kind
  std::string job;
  std::optional<WallTime> since, until;  // opened_at in [since, until)
  Page page;
};
using AlertsQuestion = DelaysQuestion;

// ---- The aggregator

struct AggregatorOptions {
  std::string api_key;  // scope `read`; empty: KLEPTO_API_KEY
  // Certificates (PEM) that alone are trusted for an https endpoint. Empty: KLEPTO_CA_FILE; else those that the system
  // trusts.
  std::string ca_file;
  // The longest that a call takes, from connecting to the last byte; above 0, at most an hour. Only the look-up of
  // a host name is beyond it: that takes what the system's resolver takes.
  std::chrono::milliseconds timeout = std::chrono::seconds(5);
};

// One kleptometricsd, wherever it is. Nothing is connected until something is asked, so making one never fails and
// never waits. Any thread may call any member at any time: calls share nothing but what was given at the start.
class Aggregator {
 public:
  // `unix:/path`, `http://host:port` or `https://host:port`. Empty: KLEPTO_ENDPOINT; else the user's socket if it exists,
  // else the system's, else http://127.0.0.1:9461. What is no endpoint makes every call answer with an Error.
  explicit Aggregator(std::string endpoint = {}, AggregatorOptions options = {}) noexcept;

  // All jobs, by name. Paging is stable.
  Result<JobPage> jobs(const JobsQuestion& question = {}) const noexcept;
  // 404 if there is none of this name.
  Result<Job> job(std::string_view name) const noexcept;
  // Runs of one job (404 if there is none of this name) or of all. Paging is stable while new runs arrive.
  Result<RunPage> runs(const RunsQuestion& question = {}) const noexcept;
  // One run with its steps, by its UUID in text; 404 if it is unknown.
  Result<Run> run(std::string_view id) const noexcept;

  // Of one job; 404 if there is none of this name. A job of which nothing matches has Stats with count 0.
  Result<Stats> stats(std::string_view job, const StatsQuestion& question = {}) const noexcept;
  Result<History> history(std::string_view job, const HistoryQuestion& question = {}) const noexcept;
  Result<Profile> profile(std::string_view job, const ProfileQuestion& question = {}) const noexcept;
  // Of all jobs: those with the highest values. Jobs without a value are left out.
  Result<Top> top(const TopQuestion& question = {}) const noexcept;
  Result<Comparison> compare(std::string_view job, const CompareQuestion& question = {}) const noexcept;
  // Since when the runs that succeeded take longer, or less long.
  Result<Changes> changes(std::string_view job, const ChangesQuestion& question = {}) const noexcept;
  // One run, by its UUID in text, against another of its job, or if `to` is empty against those before it. 404 if one
  // is unknown, 409 if one has not ended, 400 if they are of different jobs.
  Result<RunComparison> run_compare(std::string_view id, std::string_view to = {}) const noexcept;

  // Of one job (404 if there is none of this name) or of all. Paging is stable while others open and these close.
  Result<DelayPage> delays(const DelaysQuestion& question = {}) const noexcept;
  Result<AlertPage> alerts(const AlertsQuestion& question = {}) const noexcept;

  // As given or found; empty if there was no memory to find it.
  const std::string& endpoint() const noexcept { return endpoint_; }

 private:
  std::string endpoint_;
  AggregatorOptions options_;
};

}  // namespace kleptometrics::query
