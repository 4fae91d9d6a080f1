#include "aggregator/wire/run_encoder.h"

namespace kleptometrics::aggregator::wire {

std::uint32_t Interner::index(std::string_view text) {
  if (text.empty()) return 0;
  if (const auto known = indices_.find(text); known != indices_.end()) return known->second;
  const auto index = static_cast<std::uint32_t>(strings_.size());
  std::string& kept = *strings_.Add();
  kept.assign(text);
  bytes_ += text.size() + kFramingMax;
  indices_.emplace(kept, index);
  return index;
}

void RunEncoder::write(const Run& run, const Annotations& added) {
  write_identity(run);
  write_times(run);
  write_outcome(run, run.failure);
  write_labels(run.labels);
  write_counters(run);
  write_steps(run);
  write_program(run);
  write(added);
  write_process(run);
}

void RunEncoder::write_rest(const Run& run) {
  if (run.attempt != 1) out_.set_attempt(run.attempt);
  if (!run.parent_id.none()) out_.set_parent_id(run.parent_id.bytes.data(), run.parent_id.bytes.size());
  write_outcome(run, run.failure);
  write_labels(run.labels);
  write_steps(run);
  out_.set_dropped(run.dropped);
  write(run.annotations);
}

void RunEncoder::write_seen(const Run& run, bool with_steps) {
  write_identity(run);
  write_times(run);
  write_outcome(run, effective_failure(run));
  write_labels(effective_labels(run));
  write_counters(run);
  if (with_steps) write_steps(run);
  write_program(run);
  write_process(run);
}

void RunEncoder::write(const Annotations& added) {
  if (added == Annotations{}) return;
  v1::Annotations& out = *out_.mutable_annotations();
  out.set_revision(added.revision);
  for (const auto& [key, value] : added.labels) write_label(*out.add_labels(), key, value);
  out.set_failure_message(added.failure_message);
}

void RunEncoder::write_label(v1::Label& label, std::string_view key, std::string_view value) {
  label.set_key(strings_.index(key));
  label.set_value(strings_.index(value));
}

void RunEncoder::write_identity(const Run& run) {
  out_.set_id(run.id.bytes.data(), run.id.bytes.size());
  out_.set_job(strings_.index(run.job));
  out_.set_state(static_cast<v1::State>(run.state));
  out_.set_revision(run.revision);
  out_.set_verdict(run.verdict);
  out_.set_reporter(static_cast<v1::Reporter>(run.reporter));
  out_.set_attempt(run.attempt);
  if (!run.parent_id.none()) out_.set_parent_id(run.parent_id.bytes.data(), run.parent_id.bytes.size());
}

void RunEncoder::write_times(const Run& run) {
  out_.set_started_at_ns(run.started_at);
  if (run.scheduled_at) out_.set_scheduled_at_ns(*run.scheduled_at);
  if (run.finished_at) out_.set_finished_at_ns(*run.finished_at);
  if (run.duration) out_.set_duration_ns(*run.duration);
}

void RunEncoder::write_outcome(const Run& run, const std::optional<Failure>& failure) {
  if (run.progress) out_.set_progress(*run.progress + 0.0);
  if (run.exit_code) out_.set_exit_code(*run.exit_code);
  if (!failure) return;
  v1::Failure& out = *out_.mutable_failure();
  out.set_kind(static_cast<v1::FailureKind>(failure->kind));
  out.set_message(failure->message);
  out.set_signal(failure->signal);
}

void RunEncoder::write_labels(const Labels& labels) {
  for (const auto& [key, value] : labels) write_label(*out_.add_labels(), key, value);
}

void RunEncoder::write_counters(const Run& run) {
  for (const auto& [name, value] : run.counters) {
    v1::Counter& counter = *out_.add_counters();
    counter.set_name(strings_.index(name));
    counter.set_value(value + 0.0);  // -0 becomes 0: they are equal
  }
}

void RunEncoder::write_steps(const Run& run) {
  for (const Step& step : run.steps) write_step(step);
}

void RunEncoder::write_step(const Step& step) {
  v1::Step& out = *out_.add_steps();
  out.set_name(strings_.index(step.name));
  out.set_count(step.count);
  out.set_failed(step.failed);
  out.set_total_ns(step.total);
  out.set_min_ns(step.min);
  out.set_max_ns(step.max);
  if (step.sketch == Sketch{}) return;
  v1::Sketch& sketch = *out.mutable_sketch();
  sketch.set_scale(step.sketch.scale());
  sketch.set_zero_count(step.sketch.zero_count());
  sketch.set_offset(step.sketch.offset());
  sketch.mutable_counts()->Add(step.sketch.counts().begin(), step.sketch.counts().end());
}

void RunEncoder::write_resources(const Resources& used) {
  if (used == Resources{}) return;
  v1::Resources& out = *out_.mutable_resources();
  if (used.cpu_user) out.set_cpu_user_ns(*used.cpu_user);
  if (used.cpu_system) out.set_cpu_system_ns(*used.cpu_system);
  if (used.max_rss_bytes) out.set_max_rss_bytes(*used.max_rss_bytes);
  if (used.read_bytes) out.set_read_bytes(*used.read_bytes);
  if (used.write_bytes) out.set_write_bytes(*used.write_bytes);
}

void RunEncoder::write_program(const Run& run) {
  write_resources(run.resources);
  out_.set_host(strings_.index(run.host));
  out_.set_pid(run.pid);
  out_.set_program(strings_.index(run.program));
  out_.set_version(strings_.index(run.version));
  out_.set_build_id(strings_.index(run.build_id));
}

void RunEncoder::write_process(const Run& run) {
  out_.set_boot_id(strings_.index(run.boot_id));
  out_.set_dropped(run.dropped);
}

}  // namespace kleptometrics::aggregator::wire
