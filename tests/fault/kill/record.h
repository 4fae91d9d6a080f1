// Records a run of the history by the client library, as a program does that reports what is over.
#pragma once

#include <chrono>
#include <cstdint>

#include "kleptometrics/kleptometrics.h"
#include "tests/fault/kill/history.h"

namespace kleptometrics::fault {

inline WallTime wall(Nanos at) { return WallTime(std::chrono::duration_cast<WallTime::duration>(Duration(at))); }

inline void record(Client& client, const PastRun& past) {
  RunOptions options;
  options.id = past.id.text();
  options.started_at = wall(past.started_at);
  Run run(client, past.job, options);
  for (std::uint64_t i = 0; i < past.parses; ++i) auto parse = run.step("parse");
  run.count("rows", past.rows);
  if (past.failed) run.fail("bad row");
  run.finish_at(wall(past.started_at + past.duration));
}

}  // namespace kleptometrics::fault
