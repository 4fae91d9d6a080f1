#include "tests/bench/stream.h"

#include <algorithm>
#include <cmath>

namespace kleptometrics::bench {
namespace {

constexpr std::uint64_t kRecent = 10'000;  // a run that is sent again had its turn at least so long ago, if there were

std::uint64_t turns_in(const History& history, Nanos time) {
  const double share = static_cast<double>(time) / static_cast<double>(history.options().days * kNanosPerDay);
  return std::max<std::uint64_t>(1, static_cast<std::uint64_t>(share * static_cast<double>(history.options().runs)));
}

// How far back, from kRecent (or one half of what there is) to all there is.
std::uint64_t distance(std::uint64_t turn, Random& random) {
  const double least = static_cast<double>(std::min(kRecent, turn / 2 + 1));
  const double back = least * std::pow(static_cast<double>(turn) / least, random.unit());
  return std::clamp<std::uint64_t>(static_cast<std::uint64_t>(back), 1, turn);
}

}  // namespace

Stream::Stream(const History& history, const StreamOptions& options, std::uint64_t first, std::uint64_t last)
    : history_(history),
      options_(options),
      late_turns_(options.late_percent == 0 ? 0 : turns_in(history, options.late_by)),
      turn_(first),
      last_(last == history.options().runs ? last + late_turns_ : last) {}

bool Stream::is_late(std::uint64_t number) const {
  return options_.late_percent != 0 && Random(~history_.options().seed + number).below(100) < options_.late_percent;
}

void Stream::take_turn(std::vector<Sample>& batch) {
  const std::uint64_t runs = history_.options().runs;
  if (turn_ < runs && !is_late(turn_)) batch.push_back(history_.run(turn_));
  if (late_turns_ != 0 && turn_ >= late_turns_ && is_late(turn_ - late_turns_))
    batch.push_back(history_.run(turn_ - late_turns_));
  Random random(history_.options().seed ^ (turn_ << 1U | 1U));
  if (turn_ != 0 && turn_ < runs && random.below(100) < options_.resend_percent) {
    const std::uint64_t number = turn_ - distance(turn_, random);
    if (!is_late(number)) {
      batch.push_back(history_.run(number));
      ++sent_again_;
    }
  }
  ++turn_;
}

bool Stream::next(std::size_t turns, std::vector<Sample>& batch) {
  batch.clear();
  while (turn_ < last_ && (turns > 0 || batch.empty())) {
    take_turn(batch);
    if (turns > 0) --turns;
  }
  return !batch.empty();
}

}  // namespace kleptometrics::bench
