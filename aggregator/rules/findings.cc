#include "aggregator/rules/findings.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace kleptometrics::aggregator::rules {
namespace {

// What an id is about, in its hash: never to be renumbered, as ids of stored records are found by it.
enum class About : std::uint8_t { kStartDelay = 1, kOverrun = 2, kAlertAtOccurrence = 3, kAlertOfRun = 4 };

// 128 bits, in two lanes that mix into each other: against accidents, not against attackers, who could only name jobs
// of their own so that these overwrite each other's records. The finaliser is splitmix64's (Steele, Lea, Flood 2014).
class Hash {
 public:
  void add(std::string_view bytes) {
    for (const char c : bytes) add_byte(static_cast<std::uint8_t>(c));
    add_number(bytes.size());
  }
  void add_number(std::uint64_t number) {
    for (unsigned shift = 0; shift < 64; shift += 8) add_byte(static_cast<std::uint8_t>(number >> shift));
  }
  void add_byte(std::uint8_t byte) {
    low_ = (low_ ^ byte) * 0x00000100000001b3ULL;
    high_ = (std::rotl(high_, 5) ^ low_ ^ byte) * 0x9e3779b97f4a7c15ULL;
  }

  Uuid version_8() const {
    const std::uint64_t first = mixed(high_ + mixed(low_));
    const std::uint64_t second = mixed(low_ + first);
    Uuid id;
    for (std::size_t i = 0; i < 8; ++i) {
      id.bytes[i] = static_cast<std::uint8_t>(first >> (56 - 8 * i));
      id.bytes[8 + i] = static_cast<std::uint8_t>(second >> (56 - 8 * i));
    }
    id.bytes[6] = static_cast<std::uint8_t>(0x80U | (id.bytes[6] & 0x0fU));
    id.bytes[8] = static_cast<std::uint8_t>(0x80U | (id.bytes[8] & 0x3fU));
    return id;
  }

 private:
  static std::uint64_t mixed(std::uint64_t z) {
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31U);
  }

  std::uint64_t low_ = 0xcbf29ce484222325ULL;
  std::uint64_t high_ = 0x6c62272e07bb0142ULL;
};

Hash hash_of(About about, std::string_view job) {
  Hash hash;
  hash.add_byte(static_cast<std::uint8_t>(about));
  hash.add(job);
  return hash;
}

Uuid id_at(Hash hash, Nanos at) {
  hash.add_number(static_cast<std::uint64_t>(at));
  return hash.version_8();
}

Uuid id_of_run(Hash hash, const Uuid& run) {
  hash.add(run.view());
  return hash.version_8();
}

Hash hash_of(About about, std::string_view job, AlertKind kind) {
  Hash hash = hash_of(about, job);
  hash.add_byte(static_cast<std::uint8_t>(kind));
  return hash;
}

}  // namespace

void Findings::put(Delay delay) {
  std::erase(withdrawn, delay.id);
  delays.push_back(std::move(delay));
}

void Findings::withdraw(const Uuid& id) {
  std::erase_if(delays, [&id](const Delay& delay) { return delay.id == id; });
  if (std::find(withdrawn.begin(), withdrawn.end(), id) == withdrawn.end()) withdrawn.push_back(id);
}

Uuid start_delay_id(std::string_view job, Nanos scheduled_at) {
  return id_at(hash_of(About::kStartDelay, job), scheduled_at);
}

Uuid overrun_id(std::string_view job, const Uuid& run) { return id_of_run(hash_of(About::kOverrun, job), run); }

Uuid alert_id(std::string_view job, AlertKind kind, Nanos scheduled_at) {
  return id_at(hash_of(About::kAlertAtOccurrence, job, kind), scheduled_at);
}

Uuid alert_id(std::string_view job, AlertKind kind, const Uuid& run) {
  return id_of_run(hash_of(About::kAlertOfRun, job, kind), run);
}

}  // namespace kleptometrics::aggregator::rules
