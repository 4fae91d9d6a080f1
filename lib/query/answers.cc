#include "lib/query/answers.h"

#include <google/protobuf/message_lite.h>
#if GOOGLE_PROTOBUF_VERSION < 3022000
#include <google/protobuf/stubs/logging.h>
#endif

#include <algorithm>
#include <limits>
#include <utility>

#include "lib/base/uuid.h"
#include "lib/sketch/sketch.h"

namespace kleptometrics::query {
namespace {

// Protobuf writes a line to stderr for every text that is not UTF-8. The host's stderr is the host's. Newer versions
// have no such switch; they log through Abseil.
struct Quiet {
#if GOOGLE_PROTOBUF_VERSION < 3022000
  google::protobuf::LogSilencer silencer;
#else
  Quiet() {}  // not trivial, or an object of it would be an unused variable
#endif
};

WallTime instant(std::int64_t nanos) {
  return WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::nanoseconds(nanos)));
}

Duration length(std::uint64_t nanos) {
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  return Duration(static_cast<std::int64_t>(std::min(nanos, kMax)));
}

// Text of 16 bytes; empty text of none. False for any other number of bytes.
bool read_uuid(const std::string& bytes, std::string* out) {
  if (bytes.empty()) return true;
  const auto uuid = Uuid::from_bytes(bytes);
  if (uuid) *out = uuid->text();
  return uuid.has_value();
}

// Of every answer that may be about more than was asked for.
template <typename Message, typename T>
void read_rounded(const Message& in, T* out) {
  out->approximate = in.approximate();
  if (in.has_since_ns()) out->since = instant(in.since_ns());
  if (in.has_until_ns()) out->until = instant(in.until_ns());
}

bool read_extreme(const v1::Extreme& in, std::optional<Extreme>* out) {
  Extreme& extreme = out->emplace();
  extreme.value = in.value();
  extreme.at = instant(in.at_ns());
  return read_uuid(in.run_id(), &extreme.run_id);
}

std::string_view name_of(v1::FailureKind kind) {
  switch (kind) {
    case v1::FAILURE_KIND_REPORTED:
      return "reported";
    case v1::FAILURE_KIND_EXCEPTION:
      return "exception";
    case v1::FAILURE_KIND_EXIT_CODE:
      return "exit_code";
    case v1::FAILURE_KIND_SIGNAL:
      return "signal";
    case v1::FAILURE_KIND_LOST:
      return "lost";
    default:
      return "unknown";
  }
}

// Reads one run of a page. Each read_… returns false where an index has no string.
class RunReader {
 public:
  RunReader(const v1::RunPage& page, const v1::Run& in, Run* out) : page_(page), in_(in), out_(*out) {}

  bool read() {
    read_times();
    read_resources();
    return read_identity() && read_outcome() && read_maps() && read_steps() && read_program();
  }

 private:
  bool text(std::uint32_t index, std::string* out) const {
    if (index == 0) return true;
    if (index >= static_cast<std::uint32_t>(page_.strings_size())) return false;
    *out = page_.strings(static_cast<int>(index));
    return true;
  }

  bool read_identity() {
    out_.revision = in_.revision();
    out_.attempt = in_.attempt() == 0 ? 1 : in_.attempt();
    return !in_.id().empty() && read_uuid(in_.id(), &out_.id) && read_uuid(in_.parent_id(), &out_.parent_id) &&
           text(in_.job(), &out_.job);
  }

  void read_times() {
    out_.started_at = instant(in_.started_at_ns());
    if (in_.has_scheduled_at_ns()) out_.scheduled_at = instant(in_.scheduled_at_ns());
    if (in_.has_finished_at_ns()) out_.finished_at = instant(in_.finished_at_ns());
    if (in_.has_duration_ns()) out_.duration = Duration(in_.duration_ns());
    if (out_.scheduled_at) out_.start_delay = out_.started_at - *out_.scheduled_at;
  }

  bool read_outcome() {
    if (in_.state() < v1::STATE_RUNNING || in_.state() > v1::STATE_CRASHED) return false;
    out_.state = static_cast<State>(in_.state() - v1::STATE_RUNNING);
    if (in_.has_progress()) out_.progress = in_.progress();
    if (in_.has_exit_code()) out_.exit_code = in_.exit_code();
    if (!in_.has_failure()) return true;
    out_.failure = Failure{std::string(name_of(in_.failure().kind())), in_.failure().message(), in_.failure().signal()};
    return true;
  }

  bool read_maps() {
    for (const v1::Label& label : in_.labels()) {
      std::string key;
      if (!text(label.key(), &key) || !text(label.value(), &out_.labels[key])) return false;
    }
    for (const v1::Counter& counter : in_.counters()) {
      std::string name;
      if (!text(counter.name(), &name)) return false;
      out_.counters[name] = counter.value();
    }
    return true;
  }

  bool read_steps() {
    for (const v1::Step& in : in_.steps()) {
      Step& step = out_.steps.emplace_back();
      if (!text(in.name(), &step.name)) return false;
      step.count = in.count();
      step.failed = in.failed();
      step.total = length(in.total_ns());
      if (in.count() == 0) continue;
      step.min = length(in.min_ns());
      step.max = length(in.max_ns());
      read_sketch(in.sketch(), &step);
    }
    return true;
  }

  static void read_sketch(const v1::Sketch& in, Step* step) {
    Sketch sketch;
    if (!sketch.assign(in.scale(), in.zero_count(), in.offset(), {in.counts().begin(), in.counts().end()})) return;
    if (sketch.count() == 0) return;
    // The middle of a bucket may lie beyond the longest that is in it.
    const auto quantile = [&](double q) {
      return std::min(std::max(length(static_cast<std::uint64_t>(sketch.quantile(q))), *step->min), *step->max);
    };
    step->median = quantile(0.5);
    step->p95 = quantile(0.95);
  }

  void read_resources() {
    const v1::Resources& used = in_.resources();
    Resources& out = out_.resources;
    if (used.has_cpu_user_ns()) out.cpu_user = length(used.cpu_user_ns());
    if (used.has_cpu_system_ns()) out.cpu_system = length(used.cpu_system_ns());
    if (used.has_max_rss_bytes()) out.max_rss_bytes = used.max_rss_bytes();
    if (used.has_read_bytes()) out.read_bytes = used.read_bytes();
    if (used.has_write_bytes()) out.write_bytes = used.write_bytes();
  }

  bool read_program() {
    out_.pid = in_.pid();
    out_.dropped = in_.dropped();
    return text(in_.host(), &out_.host) && text(in_.program(), &out_.program) && text(in_.version(), &out_.version) &&
           text(in_.build_id(), &out_.build_id) && text(in_.boot_id(), &out_.boot_id);
  }

  const v1::RunPage& page_;
  const v1::Run& in_;
  Run& out_;
};

Eta eta(const v1::Eta& in) { return {instant(in.median_ns()), instant(in.low_ns()), instant(in.high_ns())}; }

Typical typical(const v1::Typical& in) {
  Typical out{in.median_seconds(), in.low_seconds(), in.high_seconds(), {}};
  if (in.has_period_seconds()) out.period = in.period_seconds();
  return out;
}

bool read_bucket(const v1::Bucket& in, Bucket* out) {
  out->start = instant(in.start_ns());
  out->end = instant(in.end_ns());
  return read(in.stats(), &out->stats);
}

bool read_cell(const v1::Cell& in, Cell* out) {
  out->weekday = in.weekday();
  out->hour = static_cast<int>(in.hour());
  return !in.weekday().empty() && read(in.stats(), &out->stats);
}

bool read_difference(const v1::Difference& in, Difference* out) {
  out->step = in.step();
  if (in.has_median_ratio()) out->median_ratio = in.median_ratio();
  if (in.has_p95_ratio()) out->p95_ratio = in.p95_ratio();
  if (in.has_probability_slower()) out->probability_slower = in.probability_slower();
  if (in.has_p_value()) out->p_value = in.p_value();
  if (in.has_effect_size()) out->effect_size = in.effect_size();
  if (in.has_shift()) out->shift = in.shift();
  out->verdict = in.verdict();
  out->explanation = in.explanation();
  return read(in.window(), &out->window) && read(in.baseline(), &out->baseline);
}

PerCounter per_counter(const v1::PerCounter& in) {
  PerCounter out;
  out.counter = in.counter();
  if (in.has_window_median()) out.window_median = in.window_median();
  if (in.has_baseline_median()) out.baseline_median = in.baseline_median();
  if (in.has_ratio()) out.ratio = in.ratio();
  if (in.has_p_value()) out.p_value = in.p_value();
  if (in.has_counter_ratio()) out.counter_ratio = in.counter_ratio();
  out.verdict = in.verdict();
  return out;
}

PartDifference part(const v1::PartDifference& in) {
  PartDifference out;
  out.name = in.name();
  if (in.has_value()) out.value = in.value();
  if (in.has_reference()) out.reference = in.reference();
  if (in.has_difference()) out.difference = in.difference();
  if (in.has_ratio()) out.ratio = in.ratio();
  return out;
}

template <typename Texts>
std::vector<std::string> texts(const Texts& in) {
  return {in.begin(), in.end()};
}

ChangePoint change(const v1::ChangePoint& in) {
  ChangePoint out;
  out.at = instant(in.at_ns());
  out.median_before = in.median_before();
  out.median_after = in.median_after();
  if (in.has_ratio()) out.ratio = in.ratio();
  out.p_value = in.p_value();
  out.runs_before = in.runs_before();
  out.runs_after = in.runs_after();
  out.versions_before = texts(in.versions_before());
  out.versions_after = texts(in.versions_after());
  out.build_ids_before = texts(in.build_ids_before());
  out.build_ids_after = texts(in.build_ids_after());
  out.verdict = in.verdict();
  out.explanation = in.explanation();
  return out;
}

}  // namespace

bool read(const v1::Stats& in, Stats* out) {
  out->job = in.job();
  out->measure = in.measure();
  out->step = in.step();
  out->count = in.count();
  if (in.has_min()) out->min = in.min();
  if (in.has_max()) out->max = in.max();
  if (in.has_mean()) out->mean = in.mean();
  if (in.has_stddev()) out->stddev = in.stddev();
  if (in.has_median()) out->median = in.median();
  if (in.has_p90()) out->p90 = in.p90();
  if (in.has_p95()) out->p95 = in.p95();
  if (in.has_p99()) out->p99 = in.p99();
  out->succeeded = in.succeeded();
  out->failed = in.failed();
  out->canceled = in.canceled();
  out->crashed = in.crashed();
  out->late = in.late();
  out->overrun = in.overrun();
  out->missed = in.missed();
  if (in.has_success_rate()) out->success_rate = in.success_rate();
  out->quantile_error = in.quantile_error();
  read_rounded(in, out);
  return (!in.has_high() || read_extreme(in.high(), &out->high)) &&
         (!in.has_low() || read_extreme(in.low(), &out->low));
}

bool read(const v1::RunPage& in, RunPage* out) {
  out->next_page_token = in.next_page_token();
  for (const v1::Run& run : in.runs()) {
    if (!RunReader(in, run, &out->runs.emplace_back()).read()) return false;
  }
  for (const v1::Eta& each : in.etas()) {
    if (each.run() >= out->runs.size()) return false;
    out->runs[each.run()].eta = eta(each);
  }
  return true;
}

bool read(const v1::RunPage& in, Run* out) {
  RunPage page;
  if (in.runs_size() != 1 || !read(in, &page)) return false;
  *out = std::move(page.runs.front());
  return true;
}

// 0 on the wire is none.
std::optional<Duration> limit(std::int64_t nanos) {
  return nanos == 0 ? std::nullopt : std::optional<Duration>(Duration(nanos));
}

void read_expectations(const v1::Job& in, Job* out) {
  out->cron = in.cron();
  out->interval = limit(in.interval_ns());
  out->timezone = in.timezone();
  out->grace = Duration(in.grace_ns());
  out->max_duration = limit(in.max_duration_ns());
  out->min_duration = limit(in.min_duration_ns());
  out->failures_before_alert = in.failures_before_alert();
  out->successes_before_recovery = in.successes_before_recovery();
  for (const v1::MaintenanceWindow& window : in.maintenance()) {
    out->maintenance.push_back(
        {instant(window.since_ns()), instant(window.until_ns()), window.cron(), Duration(window.duration_ns())});
  }
  out->paused = in.paused();
  if (in.has_paused_until_ns()) out->paused_until = instant(in.paused_until_ns());
  if (in.has_next_expected_at_ns()) out->next_expected_at = instant(in.next_expected_at_ns());
}

bool read(const v1::Job& in, Job* out) {
  out->name = in.name();
  out->status = in.status();
  out->description = in.description();
  out->tags.assign(in.tags().begin(), in.tags().end());
  out->retention_days = in.retention_days();
  read_expectations(in, out);
  if (in.has_typical()) out->typical = typical(in.typical());
  if (in.has_last_run() && !read(in.last_run(), &out->last_run.emplace())) return false;
  return !in.name().empty() && read(in.stats(), &out->stats);
}

bool read(const v1::JobPage& in, JobPage* out) {
  out->next_page_token = in.next_page_token();
  for (const v1::Job& job : in.jobs()) {
    if (!read(job, &out->jobs.emplace_back())) return false;
  }
  return true;
}

bool read(const v1::History& in, History* out) {
  read_rounded(in, out);
  for (const v1::Bucket& bucket : in.buckets()) {
    if (!read_bucket(bucket, &out->buckets.emplace_back())) return false;
  }
  return (!in.has_peak() || read_bucket(in.peak(), &out->peak.emplace())) &&
         (!in.has_low() || read_bucket(in.low(), &out->low.emplace()));
}

bool read(const v1::Profile& in, Profile* out) {
  read_rounded(in, out);
  for (const v1::Cell& cell : in.cells()) {
    if (!read_cell(cell, &out->cells.emplace_back())) return false;
  }
  return (!in.has_peak() || read_cell(in.peak(), &out->peak.emplace())) &&
         (!in.has_low() || read_cell(in.low(), &out->low.emplace()));
}

bool read(const v1::Top& in, Top* out) {
  read_rounded(in, out);
  out->by = in.by();
  for (const v1::RankedJob& job : in.jobs()) {
    RankedJob& ranked = out->jobs.emplace_back();
    ranked.job = job.job();
    ranked.value = job.value();
    if (!read(job.stats(), &ranked.stats)) return false;
  }
  // Of an empty message every field is missing: it is one of something else.
  return !out->by.empty();
}

bool read(const v1::Comparison& in, Comparison* out) {
  for (const v1::Difference& step : in.steps()) {
    if (!read_difference(step, &out->steps.emplace_back())) return false;
  }
  if (in.has_normalized()) out->normalized = per_counter(in.normalized());
  return in.has_total() && read_difference(in.total(), &out->total);
}

bool read(const v1::RunComparison& in, RunComparison* out) {
  if (in.has_percentile_rank()) out->percentile_rank = in.percentile_rank();
  out->total = part(in.total());
  for (const v1::PartDifference& each : in.steps()) out->steps.push_back(part(each));
  for (const v1::PartDifference& each : in.counters()) out->counters.push_back(part(each));
  for (const v1::PartDifference& each : in.resources()) out->resources.push_back(part(each));
  out->verdict = in.verdict();
  out->explanation = in.explanation();
  if (in.has_to() && !read(in.to(), &out->to.emplace())) return false;
  if (in.has_baseline() && !read(in.baseline(), &out->baseline.emplace())) return false;
  return read(in.run(), &out->run);
}

bool read(const v1::ChangePoints& in, Changes* out) {
  out->job = in.job();
  out->measure = in.measure();
  out->step = in.step();
  out->points = in.points();
  for (const v1::ChangePoint& each : in.changes()) out->changes.push_back(change(each));
  return !in.job().empty();
}

// What delays and alerts have in common.
template <typename Message, typename T>
bool read_finding(const Message& in, T* out) {
  out->kind = in.kind();
  out->job = in.job();
  out->opened_at = instant(in.opened_at_ns());
  if (in.has_closed_at_ns()) out->closed_at = instant(in.closed_at_ns());
  if (in.has_actual_ns()) out->actual = Duration(in.actual_ns());
  return read_uuid(in.id(), &out->id) && !out->id.empty() && read_uuid(in.run_id(), &out->run_id);
}

bool read(const v1::DelayPage& in, DelayPage* out) {
  for (const v1::Delay& each : in.delays()) {
    Delay& delay = out->delays.emplace_back();
    if (!read_finding(each, &delay)) return false;
    if (each.has_scheduled_at_ns()) delay.scheduled_at = instant(each.scheduled_at_ns());
    delay.expected = Duration(each.expected_ns());
  }
  out->next_page_token = in.next_page_token();
  return true;
}

bool read(const v1::AlertPage& in, AlertPage* out) {
  for (const v1::Alert& each : in.alerts()) {
    Alert& alert = out->alerts.emplace_back();
    if (!read_finding(each, &alert)) return false;
    if (each.has_acknowledged_at_ns()) alert.acknowledged_at = instant(each.acknowledged_at_ns());
    alert.message = each.message();
    if (each.has_expected_ns()) alert.expected = Duration(each.expected_ns());
  }
  out->next_page_token = in.next_page_token();
  return true;
}

bool read(const v1::Problem& in, Error* out) {
  *out = {in.status(), in.title(), in.detail(), in.field()};
  return true;
}

template <typename Message, typename T>
bool read_body(const std::string& body, T* out) {
  const Quiet quiet;
  Message message;
  return message.ParseFromString(body) && read(message, out);
}

template bool read_body<v1::Stats>(const std::string&, Stats*);
template bool read_body<v1::RunPage>(const std::string&, RunPage*);
template bool read_body<v1::RunPage>(const std::string&, Run*);
template bool read_body<v1::Job>(const std::string&, Job*);
template bool read_body<v1::JobPage>(const std::string&, JobPage*);
template bool read_body<v1::History>(const std::string&, History*);
template bool read_body<v1::Profile>(const std::string&, Profile*);
template bool read_body<v1::Top>(const std::string&, Top*);
template bool read_body<v1::Comparison>(const std::string&, Comparison*);
template bool read_body<v1::RunComparison>(const std::string&, RunComparison*);
template bool read_body<v1::ChangePoints>(const std::string&, Changes*);
template bool read_body<v1::DelayPage>(const std::string&, DelayPage*);
template bool read_body<v1::AlertPage>(const std::string&, AlertPage*);
template bool read_body<v1::Problem>(const std::string&, Error*);

}  // namespace kleptometrics::query
