// A run as the server keeps it, and the claim of its id. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "aggregator/model/run.h"
#include "aggregator/store/store.h"

namespace kleptometrics::aggregator::redis {

// One byte for the state, which scripts look at, 8 for the time of the commit, then wire::encode_run.
std::string encode_record(const Run& run, Nanos committed_at);
struct Record {
  Run run;
  Nanos committed_at = 0;
};
// Unknown: the bytes are damaged.
absl::StatusOr<Record> decode_record(std::string_view bytes);
// The part of a record that travels on in the list of changes.
std::string_view run_of_record(std::string_view record);
char state_byte(State state);

// What stands at a run's id: whose it is and how far, so that most questions about an id need not read the run.
struct Claim {
  bool gone = false;  // it has expired; only the id is known still, and the rest says nothing
  int rank = 0;
  std::uint64_t revision = 0;
  std::uint64_t annotations_revision = 0;
  std::string job{};
};
std::string encode_claim(const Run& run);
std::string encode_gone(std::string_view job);
// nullopt if the bytes are no claim.
std::optional<Claim> decode_claim(std::string_view bytes);

}  // namespace kleptometrics::aggregator::redis
