#include "aggregator/model/run.h"

#include <array>

#include "aggregator/model/names.h"

namespace kleptometrics::aggregator {
namespace {

// Names by value; the enumerators begin at 1.
constexpr std::array<std::string_view, 6> kStates = {"", "running", "succeeded", "failed", "canceled", "crashed"};
constexpr std::array<std::string_view, 6> kFailureKinds = {"", "reported", "exception", "exit_code", "signal", "lost"};

}  // namespace

std::string_view name_of(State state) { return name_in(kStates, state); }
std::string_view name_of(FailureKind kind) { return name_in(kFailureKinds, kind); }
std::optional<State> state_of(std::string_view name) { return value_in<State>(kStates, name); }
std::optional<FailureKind> failure_kind_of(std::string_view name) { return value_in<FailureKind>(kFailureKinds, name); }

Labels effective_labels(const Run& run) {
  Labels labels = run.annotations.labels;
  labels.insert(run.labels.begin(), run.labels.end());
  return labels;
}

const std::string* effective_label(const Run& run, std::string_view key) {
  for (const Labels* labels : {&run.annotations.labels, &run.labels}) {
    if (const auto label = labels->find(key); label != labels->end()) return &label->second;
  }
  return nullptr;
}

std::optional<Failure> effective_failure(const Run& run) {
  std::optional<Failure> failure = run.failure;
  const std::string& message = run.annotations.failure_message;
  if (message.empty()) return failure;
  if (!failure && (run.state == State::kFailed || run.state == State::kCrashed)) failure.emplace();
  if (failure) failure->message = message;
  return failure;
}

int rank(const Run& run) {
  if (!terminal(run.state)) return 0;
  return run.verdict ? 1 : 2;
}

bool supersedes(const Run& incoming, std::string_view incoming_bytes, const Run& stored,
                std::string_view stored_bytes) {
  return MergeKey{rank(incoming), incoming.revision, incoming_bytes} >
         MergeKey{rank(stored), stored.revision, stored_bytes};
}

}  // namespace kleptometrics::aggregator
