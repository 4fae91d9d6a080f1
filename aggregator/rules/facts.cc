#include "aggregator/rules/facts.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace kleptometrics::aggregator::rules {
namespace {

bool within_character(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

// The first line, cut between characters.
std::string shortened(std::string text) {
  text.erase(std::min(text.find_first_of("\r\n"), text.size()));
  if (text.size() <= kCauseBytesMax) return text;
  std::size_t end = kCauseBytesMax;
  while (end > 0 && within_character(text[end])) --end;
  return text.substr(0, end) + "…";
}

std::string cause_of(const Run& run) {
  const auto failure = effective_failure(run);
  if (!failure) return {};
  if (!failure->message.empty()) return shortened(failure->message);
  if (failure->kind == FailureKind::kSignal) return "signal " + std::to_string(failure->signal);
  if (run.exit_code && *run.exit_code != 0) return "exit code " + std::to_string(*run.exit_code);
  return {};
}

void set_end(const Run& run, Nanos now, RunFacts& facts) {
  const Nanos by_duration = facts.started_at + run.duration.value_or(0);
  facts.ended_at = std::max(run.finished_at.value_or(by_duration), facts.started_at);
  facts.duration = std::max<Nanos>(run.duration.value_or(facts.ended_at - facts.started_at), 0);
  facts.history = facts.ended_at < now - kHistoryAge;
  facts.cause = cause_of(run);
}

auto merge_key(const RunFacts& facts) {
  const int rank = facts.state == State::kRunning ? 0 : facts.verdict ? 1 : 2;
  return std::tuple(rank, facts.revision, facts.state, facts.ended_at, facts.duration);
}

}  // namespace

RunFacts facts_of(const Run& run, Nanos now) {
  RunFacts facts;
  facts.id = run.id;
  facts.started_at = run.started_at;
  facts.scheduled_at = run.scheduled_at;
  facts.attempt = run.attempt;
  facts.state = run.state;
  facts.verdict = run.verdict;
  facts.revision = run.revision;
  if (terminal(run.state)) set_end(run, now, facts);
  return facts;
}

bool newer(const RunFacts& incoming, const RunFacts& known) { return merge_key(incoming) > merge_key(known); }

}  // namespace kleptometrics::aggregator::rules
