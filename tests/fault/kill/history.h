// A history that follows from a seed: the program that reports it and the test that looks for it agree on every run
// without talking.
#pragma once

#include <cstdint>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/uuid.h"

namespace kleptometrics::fault {

// Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014. Place `n` of the sequence of `seed`.
inline std::uint64_t drawn(std::uint64_t seed, std::uint64_t n) {
  std::uint64_t z = seed + (n + 1) * 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31U);
}

// The id says which run of which seed it is.
inline Uuid id_of(std::uint64_t seed, std::uint64_t number) {
  Uuid id;
  for (unsigned i = 0; i < 8; ++i) {
    id.bytes[i] = static_cast<std::uint8_t>(seed >> (56 - 8 * i));
    id.bytes[8 + i] = static_cast<std::uint8_t>(number >> (56 - 8 * i));
  }
  id.bytes[0] |= 1U;  // never none
  return id;
}
inline std::uint64_t number_in(const Uuid& id) {
  std::uint64_t number = 0;
  for (unsigned i = 0; i < 8; ++i) number = number << 8U | id.bytes[8 + i];
  return number;
}

inline constexpr std::uint64_t kJobs = 5;
inline constexpr Nanos kHistoryBegins = 1'700'000'000 * kNanosPerSecond;

// The run that is open while a chunk of past runs is recorded, by the number of the first of them.
inline Uuid id_of_chunk(std::uint64_t seed, std::uint64_t first) {
  return id_of(seed, (std::uint64_t{1} << 40U) + first);
}
inline constexpr char kChunkJob[] = "chunk";

// A run that is over and recorded as a whole.
struct PastRun {
  PastRun(std::uint64_t seed, std::uint64_t number)
      : id(id_of(seed, number)),
        job("import-" + std::to_string(drawn(seed, number) % kJobs)),
        started_at(kHistoryBegins + static_cast<Nanos>(number) * kNanosPerSecond),
        // From a millisecond to some hours, of every order of magnitude.
        duration(static_cast<Nanos>((1'000'000 + drawn(~seed, number) % 1'000'000) << (number % 24))),
        rows(static_cast<double>(drawn(seed ^ 1U, number) % 1000)),
        parses(drawn(seed ^ 2U, number) % 4),
        failed(drawn(seed ^ 3U, number) % 10 == 0) {}

  Uuid id;
  std::string job;
  Nanos started_at;
  Nanos duration;
  double rows;           // of the counter `rows`
  std::uint64_t parses;  // executions of the step `parse`
  bool failed;
};

}  // namespace kleptometrics::fault
