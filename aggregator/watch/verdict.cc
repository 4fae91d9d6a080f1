#include "aggregator/watch/verdict.h"

#include <string.h>
#include <sys/wait.h>

#include <algorithm>
#include <string>
#include <utility>

namespace kleptometrics::aggregator {
namespace {

std::string name_of_signal(int signal) {
  const char* const name = ::sigabbrev_np(signal);
  return name == nullptr ? std::string() : std::string(" (SIG") + name + ")";
}

Failure failure_of_gone(const std::optional<int>& status) {
  if (!status) return {FailureKind::kLost, "its program ended without ending the run", 0};
  if (WIFSIGNALED(*status)) {
    const int signal = WTERMSIG(*status);
    return {FailureKind::kSignal, "its program was ended by signal " + std::to_string(signal) + name_of_signal(signal),
            signal};
  }
  return {FailureKind::kLost,
          "its program ended with exit code " + std::to_string(WEXITSTATUS(*status)) + " without ending the run", 0};
}

Failure failure_of(const End& end) {
  switch (end.how) {
    case End::How::kReplaced:
      return {FailureKind::kLost, "its program called exec without ending the run", 0};
    case End::How::kRestarted:
      return {FailureKind::kLost, "its machine was started anew before the run ended", 0};
    case End::How::kSilent:
      return {FailureKind::kLost,
              "lost contact: nothing was heard of it for " + std::to_string(end.silence / kNanosPerSecond) +
                  " s; its program may still run",
              0};
    case End::How::kGone:
      break;
  }
  return failure_of_gone(end.wait_status);
}

}  // namespace

Run verdict_on(Run run, const End& end) {
  run.state = State::kCrashed;
  run.verdict = true;
  run.revision += 1;
  if (end.at) {
    run.finished_at = std::max(*end.at, run.started_at);
    run.duration = *run.finished_at - run.started_at;
  }
  const bool exited = end.how == End::How::kGone && end.wait_status && WIFEXITED(*end.wait_status);
  if (exited && !run.exit_code) run.exit_code = WEXITSTATUS(*end.wait_status);
  run.failure = failure_of(end);
  return run;
}

}  // namespace kleptometrics::aggregator
