// The door check of a run: one small function a group of fields, tried in order.
#include <charconv>
#include <cmath>
#include <cstddef>
#include <limits>
#include <set>

#include "aggregator/model/checks.h"
#include "aggregator/model/run.h"
#include "aggregator/model/utf8.h"
#include "lib/base/limits.h"

namespace kleptometrics::aggregator {
namespace {

using checks::check_name;
using checks::check_text;
using checks::Fault;
using checks::fault;

constexpr std::uint64_t kIntegerMax = std::numeric_limits<std::int64_t>::max();
constexpr std::int32_t kSignalMax = 128;

std::string text_of(double value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value);
  return {buffer, end.ptr};
}

Fault check_many(const std::string& field, std::size_t count, std::size_t count_max) {
  if (count <= count_max) return std::nullopt;
  return fault(field, "the run has " + std::to_string(count) + " " + field + "; at most " + std::to_string(count_max) +
                          " are allowed");
}

Fault check_nanos(const std::string& field, std::optional<Nanos> value) {
  if (!value || (*value >= 0 && *value < kNanosEnd)) return std::nullopt;
  return fault(field, field + " is " + std::to_string(*value) + " ns; it must lie from 0 to below " +
                          std::to_string(kNanosEnd) + " ns");
}

Fault check_amount(const std::string& field, std::optional<std::uint64_t> value) {
  if (!value || *value <= kIntegerMax) return std::nullopt;
  return fault(field,
               field + " is " + std::to_string(*value) + "; at most " + std::to_string(kIntegerMax) + " is allowed");
}

Fault check_identity(const Run& run) {
  if (run.id.none()) return fault("id", "id is missing or all zero");
  if (!valid_job_name(run.job)) {
    return fault("job", "job is " + quoted(run.job) + "; a name must match [A-Za-z0-9][A-Za-z0-9._:-]{0,199}");
  }
  if (run.reporter != Reporter::kLibrary && run.reporter != Reporter::kHttp) {
    return fault("reporter", "reporter is no known one");
  }
  if (run.revision == 0 && run.reporter == Reporter::kLibrary) {
    return fault("revision", "revision is 0; revisions count from 1");
  }
  if (run.attempt == 0) return fault("attempt", "attempt is 0; attempts count from 1");
  return std::nullopt;
}

Fault check_state(const Run& run) {
  if (!state_of(name_of(run.state))) return fault("state", "state is no known one");
  if (run.verdict && run.state != State::kCrashed) {
    return fault("state", "state is `" + std::string(name_of(run.state)) +
                              "` by a verdict; an aggregator concludes only `crashed`");
  }
  return std::nullopt;
}

Fault check_times(const Run& run) {
  if (auto error = check_nanos("started_at", run.started_at)) return error;
  if (auto error = check_nanos("scheduled_at", run.scheduled_at)) return error;
  if (auto error = check_nanos("finished_at", run.finished_at)) return error;
  return check_nanos("duration_seconds", run.duration);
}

Fault check_end(const Run& run) {
  if (!terminal(run.state)) {
    if (!run.finished_at) return std::nullopt;
    return fault("finished_at", "finished_at is set, but state is `running`");
  }
  if (run.duration) return std::nullopt;
  if (run.finished_at && *run.finished_at < run.started_at) {
    return fault("finished_at", "finished_at is before started_at and no duration says how long the run took");
  }
  // When a program ended that was found dead, nobody may know.
  if (!run.finished_at && run.reporter == Reporter::kLibrary && !run.verdict) {
    return fault("finished_at",
                 "a run that is `" + std::string(name_of(run.state)) + "` needs finished_at or a duration");
  }
  return std::nullopt;
}

Fault check_progress(const Run& run) {
  if (!run.progress || (*run.progress >= 0 && *run.progress <= 1)) return std::nullopt;
  return fault("progress", "progress is " + text_of(*run.progress) + "; it must lie from 0 to 1");
}

Fault check_failure(const Run& run) {
  if (!run.failure) return std::nullopt;
  if (!failure_kind_of(name_of(run.failure->kind))) return fault("failure.kind", "failure.kind is no known one");
  if (run.failure->signal < 0 || run.failure->signal > kSignalMax) {
    return fault("failure.signal", "failure.signal is " + std::to_string(run.failure->signal) +
                                       "; it must lie from 0 to " + std::to_string(kSignalMax));
  }
  return check_text("failure.message", run.failure->message, limits::failure_message_bytes_max);
}

Fault check_each_label(const Labels& labels) {
  if (auto error = check_many("labels", labels.size(), limits::label_count_max)) return error;
  for (const auto& [key, value] : labels) {
    if (auto error = check_name("labels", key, limits::label_key_bytes_max)) return error;
    if (auto error = check_text("labels." + key, value, limits::label_value_bytes_max)) return error;
  }
  return std::nullopt;
}

Fault check_labels(const Run& run) { return check_each_label(run.labels); }

// JSON knows nothing of annotations: what is at fault is named by where it is shown.
Fault check_annotations(const Run& run) {
  const Annotations& added = run.annotations;
  if (added.revision == 0 && added != Annotations{}) {
    return fault("annotations.revision", "annotations.revision is 0; revisions count from 1");
  }
  if (auto error = check_each_label(added.labels)) return error;
  return check_text("failure.message", added.failure_message, limits::failure_message_bytes_max);
}

Fault check_counters(const Run& run) {
  if (auto error = check_many("counters", run.counters.size(), limits::counter_count_max)) return error;
  for (const auto& [name, value] : run.counters) {
    if (auto error = check_name("counters", name, limits::counter_name_bytes_max)) return error;
    if (std::isfinite(value)) continue;
    return fault("counters." + name, "counter " + quoted(name) + " is " + text_of(value) + "; it must be finite");
  }
  return std::nullopt;
}

// The arithmetic that holds for any set of added-up executions.
Fault check_sums(const std::string& field, const Step& step) {
  const auto refuse = [&](std::string_view part, const std::string& why) {
    return fault(field + "." + std::string(part), "step " + quoted(step.name) + ": " + why);
  };
  const auto number = [](std::uint64_t value) { return std::to_string(value); };
  if (step.failed > step.count) {
    return refuse("failed", "failed is " + number(step.failed) + " of a count of " + number(step.count));
  }
  if (step.min > step.max) {
    return refuse("min_seconds", "min is " + number(step.min) + " ns, max " + number(step.max) + " ns");
  }
  if (step.total < step.max) {
    return refuse("total_seconds", "total is " + number(step.total) + " ns, max " + number(step.max) + " ns");
  }
  if (step.count == 0 && step.total != 0) {
    return refuse("count", "count is 0, but total is " + number(step.total) + " ns");
  }
  const std::uint64_t sketched = step.sketch.count();
  if (sketched != 0 && sketched != step.count) {
    return refuse("sketch", "the sketch holds " + number(sketched) + " values, count is " + number(step.count));
  }
  return std::nullopt;
}

Fault check_steps(const Run& run) {
  if (auto error = check_many("steps", run.steps.size(), limits::step_count_max)) return error;
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < run.steps.size(); ++i) {
    const Step& step = run.steps[i];
    const std::string field = "steps[" + std::to_string(i) + "]";
    if (auto error = check_name(field + ".name", step.name, limits::step_path_bytes_max)) return error;
    if (!seen.insert(step.name).second) {
      return fault(field + ".name", "the run has two steps named " + quoted(step.name));
    }
    if (auto error = check_amount(field + ".count", step.count)) return error;
    if (auto error = check_amount(field + ".total_seconds", step.total)) return error;
    if (auto error = check_sums(field, step)) return error;
  }
  return std::nullopt;
}

Fault check_resources(const Run& run) {
  const Resources& used = run.resources;
  if (auto error = check_amount("resources.cpu_user_seconds", used.cpu_user)) return error;
  if (auto error = check_amount("resources.cpu_system_seconds", used.cpu_system)) return error;
  if (auto error = check_amount("resources.max_rss_bytes", used.max_rss_bytes)) return error;
  if (auto error = check_amount("resources.read_bytes", used.read_bytes)) return error;
  return check_amount("resources.write_bytes", used.write_bytes);
}

Fault check_program(const Run& run) {
  if (auto error = check_text("host", run.host, limits::text_bytes_max)) return error;
  if (auto error = check_text("program", run.program, limits::text_bytes_max)) return error;
  if (auto error = check_text("version", run.version, limits::text_bytes_max)) return error;
  if (auto error = check_text("build_id", run.build_id, limits::text_bytes_max)) return error;
  if (auto error = check_text("boot_id", run.boot_id, limits::text_bytes_max)) return error;
  return check_amount("dropped", run.dropped);
}

bool alphanumeric(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

}  // namespace

bool valid_job_name(std::string_view name) {
  if (name.empty() || name.size() > limits::job_name_bytes_max || !alphanumeric(name.front())) return false;
  for (const char c : name) {
    if (!alphanumeric(c) && c != '.' && c != '_' && c != ':' && c != '-') return false;
  }
  return true;
}

std::optional<FieldError> validate(const Run& run) {
  for (const auto check :
       {check_identity, check_state, check_times, check_end, check_progress, check_failure, check_labels,
        check_counters, check_steps, check_resources, check_program, check_annotations}) {
    if (auto error = check(run)) return error;
  }
  return std::nullopt;
}

}  // namespace kleptometrics::aggregator
