#include "lib/src/snapshot.h"

#include <google/protobuf/arena.h>

#include <algorithm>
#include <array>
#include <unordered_map>

#include "kleptometrics/v1/run.pb.h"
#include "lib/base/limits.h"

namespace kleptometrics::internal {
namespace {

constexpr std::size_t kArenaStartBytes = 8192;  // on the stack; holds a run with a dozen steps whole

v1::State wire_state(State state) {
  switch (state) {
    case State::kRunning:
      return v1::STATE_RUNNING;
    case State::kSucceeded:
      return v1::STATE_SUCCEEDED;
    case State::kFailed:
      return v1::STATE_FAILED;
    case State::kCanceled:
      return v1::STATE_CANCELED;
    case State::kCrashed:
      return v1::STATE_CRASHED;
  }
  return v1::STATE_UNSPECIFIED;
}

v1::FailureKind wire_kind(FailureKind kind) {
  switch (kind) {
    case FailureKind::kNone:
      break;
    case FailureKind::kReported:
      return v1::FAILURE_KIND_REPORTED;
    case FailureKind::kException:
      return v1::FAILURE_KIND_EXCEPTION;
    case FailureKind::kExitCode:
      return v1::FAILURE_KIND_EXIT_CODE;
  }
  return v1::FAILURE_KIND_UNSPECIFIED;
}

// The strings of one run: few, and mostly different, so each is put down as it comes.
class Strings {
 public:
  explicit Strings(v1::PushRequest& request) : request_(request) { request_.add_strings(); }

  std::uint32_t index(std::string_view text) {
    if (text.empty()) return 0;
    request_.add_strings(text.data(), text.size());
    return static_cast<std::uint32_t>(request_.strings_size()) - 1;
  }

 private:
  v1::PushRequest& request_;
};

void fill_times(const Snapshot& from, v1::Run& to) {
  to.set_started_at_ns(from.started_at);
  if (from.scheduled_at) to.set_scheduled_at_ns(*from.scheduled_at);
  if (from.finished_at) to.set_finished_at_ns(*from.finished_at);
  if (from.duration) to.set_duration_ns(*from.duration);
}

void fill_outcome(const Snapshot& from, v1::Run& to) {
  to.set_state(wire_state(from.state));
  if (from.progress) to.set_progress(*from.progress);
  if (from.exit_code) to.set_exit_code(*from.exit_code);
  if (from.failure_kind == FailureKind::kNone) return;
  to.mutable_failure()->set_kind(wire_kind(from.failure_kind));
  to.mutable_failure()->set_message(from.failure_message.data(), from.failure_message.size());
}

void fill_step(const cells::StepTotals& from, v1::Step& to) {
  to.set_count(from.count);
  to.set_failed(from.failed);
  to.set_total_ns(from.total);
  to.set_min_ns(from.min);
  to.set_max_ns(from.max);
  if (from.count == 0) return;
  v1::Sketch& sketch = *to.mutable_sketch();
  sketch.set_scale(from.sketch.scale());
  sketch.set_zero_count(from.sketch.zero_count());
  sketch.set_offset(from.sketch.offset());
  for (const std::uint64_t times : from.sketch.counts()) sketch.add_counts(times);
}

void fill_usage(const Usage& from, v1::Resources& to) {
  to.set_cpu_user_ns(from.cpu_user_ns);
  to.set_cpu_system_ns(from.cpu_system_ns);
  to.set_max_rss_bytes(from.max_rss_bytes);
  to.set_read_bytes(from.read_bytes);
  to.set_write_bytes(from.write_bytes);
}

void fill_program(const Program& from, Strings& strings, v1::Run& to) {
  to.set_host(strings.index(from.host));
  to.set_pid(from.pid);
  to.set_program(strings.index(from.name));
  to.set_build_id(strings.index(from.build_id));
  to.set_boot_id(strings.index(from.boot_id));
}

std::string encode_once(const Snapshot& from) {
  std::array<char, kArenaStartBytes> start;
  google::protobuf::ArenaOptions options;
  options.initial_block = start.data();
  options.initial_block_size = start.size();
  google::protobuf::Arena arena(options);
  auto& request = *google::protobuf::Arena::CreateMessage<v1::PushRequest>(&arena);
  Strings strings(request);
  v1::Run& to = *request.add_runs();
  to.set_id(from.id.view().data(), from.id.view().size());
  to.set_job(strings.index(from.job));
  to.set_revision(from.revision);
  to.set_attempt(from.attempt);
  if (!from.parent_id.none()) to.set_parent_id(from.parent_id.view().data(), from.parent_id.view().size());
  fill_times(from, to);
  fill_outcome(from, to);
  for (const auto& [key, value] : *from.labels) {
    v1::Label& label = *to.add_labels();
    label.set_key(strings.index(key));
    label.set_value(strings.index(value));
  }
  for (const auto& [name, value] : from.counters) {
    v1::Counter& counter = *to.add_counters();
    counter.set_name(strings.index(name));
    counter.set_value(value);
  }
  for (const auto& [path, totals] : from.steps) {
    v1::Step& step = *to.add_steps();
    step.set_name(strings.index(path));
    fill_step(totals, step);
  }
  if (from.usage) fill_usage(*from.usage, *to.mutable_resources());
  if (from.program != nullptr) fill_program(*from.program, strings, to);
  to.set_version(strings.index(from.version));
  to.set_dropped(from.dropped);
  return request.SerializeAsString();
}

}  // namespace

std::string encode(Snapshot& snapshot, bool* cut) {
  std::string bytes = encode_once(snapshot);
  // Some room for what another encoder may need more; a sketch at scale 0 has a bucket an octave, so this ends.
  for (int round = 0; bytes.size() > limits::run_bytes_max * 9 / 10 && round < Sketch::kScale; ++round) {
    for (auto& [path, totals] : snapshot.steps) totals.sketch.coarsen();
    *cut = true;
    bytes = encode_once(snapshot);
  }
  return bytes;
}

struct Batch::Parts {
  v1::PushRequest request;
  std::unordered_map<std::string, std::uint32_t> indexes;

  Parts() { request.add_strings(); }

  std::uint32_t moved(const v1::PushRequest& from, std::uint32_t index) {
    if (index == 0 || index >= static_cast<std::uint32_t>(from.strings_size())) return 0;
    const std::string& text = from.strings(static_cast<int>(index));
    const auto [entry, made] = indexes.try_emplace(text, static_cast<std::uint32_t>(request.strings_size()));
    if (made) request.add_strings(text);
    return entry->second;
  }
};

Batch::Batch() : parts_(std::make_unique<Parts>()) {}
Batch::~Batch() = default;

bool Batch::add(std::string_view payload) {
  v1::PushRequest from;
  if (!from.ParseFromArray(payload.data(), static_cast<int>(payload.size())) || from.runs_size() != 1) return false;
  v1::Run& run = *parts_->request.add_runs();
  run.Swap(from.mutable_runs(0));
  run.set_job(parts_->moved(from, run.job()));
  run.set_host(parts_->moved(from, run.host()));
  run.set_program(parts_->moved(from, run.program()));
  run.set_version(parts_->moved(from, run.version()));
  run.set_build_id(parts_->moved(from, run.build_id()));
  run.set_boot_id(parts_->moved(from, run.boot_id()));
  for (v1::Label& label : *run.mutable_labels()) {
    label.set_key(parts_->moved(from, label.key()));
    label.set_value(parts_->moved(from, label.value()));
  }
  for (v1::Counter& counter : *run.mutable_counters()) counter.set_name(parts_->moved(from, counter.name()));
  for (v1::Step& step : *run.mutable_steps()) step.set_name(parts_->moved(from, step.name()));
  return true;
}

std::string Batch::body() const { return parts_->request.SerializeAsString(); }

std::optional<Answer> parse_answer(const std::string& body) {
  v1::PushResponse response;
  if (!response.ParseFromString(body)) return std::nullopt;
  Answer answer{response.accepted(), response.duplicates(), {}};
  for (const v1::Rejection& rejection : response.rejected()) {
    std::string detail = rejection.detail();
    if (!rejection.field().empty()) detail = rejection.field() + ": " + detail;
    answer.rejected.push_back({rejection.index(), rejection.retryable(), std::move(detail)});
  }
  return answer;
}

}  // namespace kleptometrics::internal
