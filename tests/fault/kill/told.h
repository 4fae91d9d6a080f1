// What a program under fire tells its test, through a pipe, each time after a call of the library returned: from then
// on it is safe. Read whole or not at all, as it is shorter than what a pipe writes at once.
#pragma once

#include <cstdint>

#include "tests/fault/kill/history.h"

namespace kleptometrics::fault {

struct Told {
  enum Kind : std::uint32_t {
    kReady,     // the client is made; value: 1 if a journal file stands behind it
    kStarted,   // a run
    kLabelled,  // with kLabel
    kWorked,    // value: executions of the step `work`, in all
    kCounted,   // value: of the counter `rows`, in all
    kProgress,  // value: in thousandths
    kEnded,     // as ending_of() says
    kRecorded,  // a past run, of PastRun; `run` is its number
  };
  Kind kind = kReady;
  std::uint32_t run = 0;
  std::uint64_t value = 0;
};

inline constexpr std::uint32_t kOuterRun = 0;             // is open for as long as its program lives
inline constexpr std::uint64_t kBurstMax = 50;            // additions between two words
inline constexpr std::uint64_t kPastNumbers = 1U << 20U;  // past runs of a life have numbers from here, in ids
inline constexpr char kLabel[] = "region";

enum class Ending { kSucceed, kFail, kCancel };
inline Ending ending_of(std::uint64_t seed, std::uint32_t run) { return static_cast<Ending>(drawn(seed, run) % 3); }

}  // namespace kleptometrics::fault
