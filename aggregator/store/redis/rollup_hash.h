// A rollup as the fields of a hash, so that the server can add to it: integers that are incremented, and points that
// are kept if they lie further out. All fields begin with the digit of their outcome (Rollup::outcome_at), then
//
//   r runs   l late   n values   s0 to s3, q0 to q5  sums of times and of their squares, in parts of 32 bits
//   z zeros  bNUMBER  values of a bucket of the sketch     m  moments of numbers: mean and deviations
//   L H      lowest and highest point      x y  the same, of runs that have expired
//
// A part of a sum that overflows its 32 bits, or falls below zero as values are taken out, only means a carry to the
// next part. Points are texts of 64 hexadecimal digits of which the smaller lies further out: a hash whose texts are
// longer takes the server several times the memory. Pure; any thread.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aggregator/stats/rollup.h"
#include "aggregator/store/redis/pipeline.h"
#include "aggregator/store/redis/reply.h"

namespace kleptometrics::aggregator::redis {

// Whether the values of the series are times.
bool times(const stats::Series& series);

std::string low_text(const stats::Point& point, const stats::Series& series);
std::string high_text(const stats::Point& point, const stats::Series& series);

// What HGETALL answered. Fields that are none are passed over.
stats::Rollup read_rollup(ReplyView fields, const stats::Series& series);

// What a commit does to a rollup.
struct RollupChange {
  stats::Rollup added;
  struct Taken {
    std::size_t outcome;
    stats::Rollup of;  // of one run
  };
  std::vector<Taken> taken;
  // Lows and highs that were found anew, since those that were there are taken out: of an outcome, in place of what is
  // stored; empty: none is left.
  struct Found {
    std::string low, high;
  };
  std::array<std::optional<Found>, 4> found{};
  stats::Rollup expired;  // already in there; only its points count

  bool empty() const { return taken.empty() && added.empty() && expired.empty(); }
  // The arguments of the script kChange.
  Command arguments(const std::string& key, const stats::Series& series) const;
};

}  // namespace kleptometrics::aggregator::redis
