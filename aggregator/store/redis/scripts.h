// What the server is asked to do in one step where no single command does it: short programs in its Lua, which runs one
// at a time. Numbers there are doubles, so integers only pass through as texts. Constants; any thread.
#pragma once

#include <array>
#include <string>

namespace kleptometrics::aggregator::redis {

struct Script {
  const char* text;
  bool writes;  // as a part of transactions
  std::string sha1;
};

// KEYS: a hash of a rollup. Four lists, each after its length: moments to be merged (outcome, count, mean, deviations)
// or of one value to be taken out (count -1), increments (field, by), fields to be set, or removed where the value is
// empty, and fields that keep the smaller of what is there and the value.
extern const Script kChange;

// KEYS: a sorted set of places. ARGV: where to begin, downwards, and to end, in the way of ZREVRANGEBYLEX; how many at
// most; the first bytes of records that are wanted (empty: all); prefix of keys; job (empty: behind the place).
// Answers how many were looked at, the last of those, and the records.
extern const Script kPage;

// ARGV: what the keys of a job begin with. Answers its specification, its newest record, the state of its newest
// verdict, and how many of its runs are open.
extern const Script kHead;

// ARGV: what the keys of a job begin with; the series beside durations, or empty; then stretches of four: r, h, d or a;
// from; to (of r places, of h and d numbers of hours or days); 0. Answers pieces: of h, d and a the letter, the number,
// the fields of durations and of the series; of r the letter and records.
extern const Script kSummary;

// KEYS: the key of a duty. ARGV: who, and for how many milliseconds. Answers 1 if it is theirs now.
extern const Script kHold;

// ARGV: what the keys of a kind of findings begin with; which of its sorted sets; where to begin, downwards, and to
// end; how many at most; a number of closings (empty: that of now, and none is late). Answers the number of closings,
// how many were looked at, the place of the last of them, how many values follow, these, and those that closed later
// than the number says.
extern const Script kFindings;

inline const std::array<const Script*, 6> kScripts = {&kChange, &kPage, &kHead, &kSummary, &kHold, &kFindings};

}  // namespace kleptometrics::aggregator::redis
