#include "aggregator/store/redis/record.h"

#include "aggregator/store/redis/ordered.h"
#include "aggregator/wire/wire.h"

namespace kleptometrics::aggregator::redis {
namespace {

constexpr std::size_t kHeaderBytes = 9;
constexpr std::size_t kClaimBytes = 17;
constexpr char kGone = 'g';

}  // namespace

char state_byte(State state) { return static_cast<char>('0' + static_cast<int>(state)); }

std::string encode_record(const Run& run, Nanos committed_at) {
  return std::string(1, state_byte(run.state)).append(place_of(committed_at)).append(wire::encode_run(run));
}

std::string_view run_of_record(std::string_view record) { return record.substr(std::min(record.size(), kHeaderBytes)); }

absl::StatusOr<Record> decode_record(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes) return absl::UnknownError("a run is stored, but what is there of it is cut off");
  absl::StatusOr<Run> run = wire::decode_run(run_of_record(bytes));
  if (!run.ok()) return absl::UnknownError("a run is stored, but what is there of it cannot be read");
  return Record{*std::move(run), instant_of(bytes.substr(1))};
}

std::string encode_claim(const Run& run) {
  return std::string(1, static_cast<char>('0' + rank(run)))
      .append(bytes_of(run.revision))
      .append(bytes_of(run.annotations.revision))
      .append(run.job);
}

std::string encode_gone(std::string_view job) {
  return std::string(1, kGone).append(bytes_of(0)).append(bytes_of(0)).append(job);
}

std::optional<Claim> decode_claim(std::string_view bytes) {
  if (bytes.size() < kClaimBytes) return std::nullopt;
  return Claim{bytes[0] == kGone, bytes[0] - '0', number_of(bytes.substr(1)), number_of(bytes.substr(9)),
               std::string(bytes.substr(kClaimBytes))};
}

}  // namespace kleptometrics::aggregator::redis
