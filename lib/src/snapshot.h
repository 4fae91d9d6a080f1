// Snapshots of runs as bytes: what the job's thread puts into the journal, how the worker makes one push of many, and
// what the aggregator answers. The only room of the client library that knows the wire (proto/kleptometrics/v1).
// Pure; not synchronised.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kleptometrics/kleptometrics.h"
#include "lib/base/clock.h"
#include "lib/base/uuid.h"
#include "lib/cells/step_totals.h"
#include "lib/src/program.h"

namespace kleptometrics::internal {

enum class FailureKind { kNone, kReported, kException, kExitCode };

// Everything that is known of a run at one moment. Borrows its strings.
struct Snapshot {
  Uuid id, parent_id;
  std::string_view job, version;
  State state = State::kRunning;
  std::uint64_t revision = 0;
  std::uint32_t attempt = 1;
  Nanos started_at = 0;
  std::optional<Nanos> scheduled_at, finished_at, duration;
  std::optional<double> progress;
  std::optional<std::int32_t> exit_code;
  FailureKind failure_kind = FailureKind::kNone;
  std::string_view failure_message;
  const std::map<std::string, std::string>* labels = nullptr;         // never null when encoded
  std::vector<std::pair<std::string_view, double>> counters;          // sorted by name
  std::vector<std::pair<std::string_view, cells::StepTotals>> steps;  // in order of first use
  std::optional<Usage> usage;                                         // since the start of the run
  const Program* program = nullptr;                                   // null: unknown, of a past run
  std::uint64_t dropped = 0;                                          // snapshots that the client had lost by now
};

// A PushRequest that holds the run alone: the payload of a journal record. Makes the sketches of the steps coarser
// until the run fits limits::run_bytes_max and sets `*cut` if it had to.
std::string encode(Snapshot& snapshot, bool* cut);

// Many journal records in one push, with strings that repeat held once.
class Batch {
 public:
  Batch();
  ~Batch();
  // False, and nothing is added, if the payload is not a PushRequest of one run.
  bool add(std::string_view payload);
  std::string body() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

struct Rejected {
  std::uint32_t index = 0;
  bool retryable = false;
  std::string detail;  // with the field at fault
};
struct Answer {
  std::uint64_t accepted = 0;
  std::uint64_t duplicates = 0;
  std::vector<Rejected> rejected;
};
// Reads a PushResponse; nullopt if it is none.
std::optional<Answer> parse_answer(const std::string& body);

}  // namespace kleptometrics::internal
