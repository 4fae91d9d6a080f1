// The way out: runs and answers to bytes. decode.cc is the way in.
#include "aggregator/wire/wire.h"

#include <google/protobuf/arena.h>

#include <unordered_map>

#include "kleptometrics/v1/run.pb.h"

namespace kleptometrics::aggregator::wire {
namespace {

constexpr std::size_t kArenaStartBytes = 4096;  // on the stack; holds a plain run whole

// Writes one run, or a part of it, into a request of its own. Strings get their index when first used, so the order of
// the calls in write() is part of the canonical form.
class Encoder {
 public:
  explicit Encoder(v1::PushRequest& request) : request_(request), out_(*request.add_runs()) { request_.add_strings(); }

  void write(const Run& run) {
    write_identity(run);
    write_times(run);
    write_outcome(run);
    for (const auto& [key, value] : run.labels) write_label(*out_.add_labels(), key, value);
    for (const auto& [name, value] : run.counters) {
      v1::Counter& counter = *out_.add_counters();
      counter.set_name(index(name));
      counter.set_value(value + 0.0);  // -0 becomes 0: they are equal
    }
    for (const Step& step : run.steps) write_step(step);
    write_resources(run.resources);
    out_.set_host(index(run.host));
    out_.set_pid(run.pid);
    out_.set_program(index(run.program));
    out_.set_version(index(run.version));
    out_.set_build_id(index(run.build_id));
  }

  // After write(), where both are called.
  void write(const Annotations& annotations) {
    if (annotations == Annotations{}) return;
    v1::Annotations& out = *out_.mutable_annotations();
    out.set_revision(annotations.revision);
    for (const auto& [key, value] : annotations.labels) write_label(*out.add_labels(), key, value);
    out.set_failure_message(annotations.failure_message);
  }

 private:
  std::uint32_t index(std::string_view text) {
    if (text.empty()) return 0;
    const auto [known, added] = indices_.try_emplace(text, static_cast<std::uint32_t>(request_.strings_size()));
    if (added) request_.add_strings(text.data(), text.size());
    return known->second;
  }

  void write_label(v1::Label& label, std::string_view key, std::string_view value) {
    label.set_key(index(key));
    label.set_value(index(value));
  }

  void write_identity(const Run& run) {
    out_.set_id(run.id.bytes.data(), run.id.bytes.size());
    out_.set_job(index(run.job));
    out_.set_state(static_cast<v1::State>(run.state));
    out_.set_revision(run.revision);
    out_.set_verdict(run.verdict);
    out_.set_reporter(static_cast<v1::Reporter>(run.reporter));
    out_.set_attempt(run.attempt);
    if (!run.parent_id.none()) out_.set_parent_id(run.parent_id.bytes.data(), run.parent_id.bytes.size());
  }

  void write_times(const Run& run) {
    out_.set_started_at_ns(run.started_at);
    if (run.scheduled_at) out_.set_scheduled_at_ns(*run.scheduled_at);
    if (run.finished_at) out_.set_finished_at_ns(*run.finished_at);
    if (run.duration) out_.set_duration_ns(*run.duration);
  }

  void write_outcome(const Run& run) {
    if (run.progress) out_.set_progress(*run.progress + 0.0);
    if (run.exit_code) out_.set_exit_code(*run.exit_code);
    if (!run.failure) return;
    v1::Failure& failure = *out_.mutable_failure();
    failure.set_kind(static_cast<v1::FailureKind>(run.failure->kind));
    failure.set_message(run.failure->message);
    failure.set_signal(run.failure->signal);
  }

  void write_step(const Step& step) {
    v1::Step& out = *out_.add_steps();
    out.set_name(index(step.name));
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

  void write_resources(const Resources& used) {
    if (used == Resources{}) return;
    v1::Resources& out = *out_.mutable_resources();
    if (used.cpu_user) out.set_cpu_user_ns(*used.cpu_user);
    if (used.cpu_system) out.set_cpu_system_ns(*used.cpu_system);
    if (used.max_rss_bytes) out.set_max_rss_bytes(*used.max_rss_bytes);
    if (used.read_bytes) out.set_read_bytes(*used.read_bytes);
    if (used.write_bytes) out.set_write_bytes(*used.write_bytes);
  }

  v1::PushRequest& request_;
  v1::Run& out_;
  std::unordered_map<std::string_view, std::uint32_t> indices_;
};

template <typename Write>
std::string encoded(Write write) {
  char start[kArenaStartBytes];
  google::protobuf::Arena arena(start, sizeof start);
  auto* request = google::protobuf::Arena::CreateMessage<v1::PushRequest>(&arena);
  Encoder encoder(*request);
  write(encoder);
  return request->SerializeAsString();
}

}  // namespace

std::string encode_run(const Run& run) {
  return encoded([&](Encoder& encoder) {
    encoder.write(run);
    encoder.write(run.annotations);
  });
}

std::string encode_snapshot(const Run& run) {
  return encoded([&](Encoder& encoder) { encoder.write(run); });
}

std::string encode_annotations(const Annotations& annotations) {
  if (annotations == Annotations{}) return {};
  return encoded([&](Encoder& encoder) { encoder.write(annotations); });
}

std::string encode_result(const PushResult& result) {
  v1::PushResponse response;
  response.set_accepted(result.accepted);
  response.set_duplicates(result.duplicates);
  for (const Rejection& rejection : result.rejected) {
    v1::Rejection& out = *response.add_rejected();
    out.set_index(rejection.index);
    out.set_field(rejection.field);
    out.set_detail(rejection.detail);
    out.set_retryable(rejection.retryable);
  }
  return response.SerializeAsString();
}

}  // namespace kleptometrics::aggregator::wire
