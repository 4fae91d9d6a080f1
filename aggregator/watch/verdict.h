// The verdict on a run whose reporter is gone: crashed, with what is known of the end in its failure. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>

#include "aggregator/model/run.h"
#include "lib/base/clock.h"

namespace kleptometrics::aggregator {

// How a program ended that left runs open, as far as that is known.
struct End {
  enum class How : std::uint8_t {
    kGone,       // its process ended
    kReplaced,   // its process called exec, and is another program now
    kRestarted,  // its machine was started anew
    kSilent,     // nothing was heard of it any more: lost contact. It may live
  };
  How how = How::kGone;
  std::optional<Nanos> at{};         // wall clock, when it was found out; absent if that may have been long after
  std::optional<int> wait_status{};  // of kGone, as waitpid(2) tells it: where the kernel does
  Nanos silence = 0;                 // of kSilent, how long nothing was heard
};

// `run`, which has not ended, as the verdict leaves it: crashed, one revision on; its labels, steps, counters and
// progress as they were known last. failure.kind is `signal` where one is known to have ended the program, else `lost`.
//
// What a verdict of kSilent means: nobody knows. The program may have been killed with its machine, stopped, or cut
// off. By the merge order (run.proto) a snapshot that the run goes on does not take a verdict back, so it is shown as
// crashed, with what was known by then, until its program says how it ended: that overrules the verdict, whatever it
// was and however late it comes, and statistics are corrected.
Run verdict_on(Run run, const End& end);

}  // namespace kleptometrics::aggregator
