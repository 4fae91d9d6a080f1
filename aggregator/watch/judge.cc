#include "aggregator/watch/judge.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregator/base/log.h"

namespace kleptometrics::aggregator {
namespace {

constexpr Nanos kRetryAfter = kNanosPerSecond;
constexpr int kTriesMax = 5;
constexpr std::size_t kWaitingMax = 100'000;

}  // namespace

void Judge::judge(const Uuid& run, const End& end) {
  const Done done = try_one(run, end);
  if (done == Done::kDone) return;
  if (waiting_.empty()) retry_at_ = clock_.steady() + kRetryAfter;
  if (waiting_.size() < kWaitingMax) waiting_.push_back({run, end, 0});
}

void Judge::retry() {
  const Nanos now = clock_.steady();
  if (waiting_.empty() || now < retry_at_) return;
  retry_at_ = now + kRetryAfter;
  std::vector<Waiting> again;
  again.swap(waiting_);
  for (Waiting& one : again) {
    const Done done = try_one(one.run, one.end);
    if (done == Done::kUnknown) ++one.tries;
    if (done != Done::kDone && one.tries < kTriesMax) waiting_.push_back(std::move(one));
  }
}

Judge::Done Judge::try_one(const Uuid& id, const End& end) {
  auto stored = store_.run(id);
  if (absl::IsUnavailable(stored.status())) return Done::kLater;
  if (!stored.ok()) return Done::kDone;
  if (!*stored) return Done::kUnknown;
  Run run = **std::move(stored);
  if (terminal(run.state) || run.reporter != Reporter::kLibrary) return Done::kDone;
  run.annotations = {};  // they merge by themselves
  Run verdict = verdict_on(std::move(run), end);
  const std::string event = absl::StrCat("judged a run id=", id.text(), " job=", verdict.job,
                                         " crashed: ", verdict.failure ? verdict.failure->message : std::string());
  const auto outcomes = committer_.submit({ApplySnapshot{std::move(verdict)}});
  if (!outcomes.ok() || outcomes->front().kind == Outcome::Kind::kDeferred) return Done::kLater;
  log_info(event);
  return Done::kDone;
}

}  // namespace kleptometrics::aggregator
