// What became of everything that was submitted, for whoever exposes it.
#pragma once

#include <atomic>
#include <cstdint>

#include "aggregator/ingest/command.h"

namespace kleptometrics::aggregator {

// Since the start.
struct IngestCounts {
  std::uint64_t accepted = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t rejected = 0;     // never to be sent again as they are, those that could not be read among them
  std::uint64_t deferred = 0;     // for now: too many new jobs
  std::uint64_t unavailable = 0;  // turned away unread: the queue was full, or the store had no room
};

// Any thread.
class AtomicIngestCounts {
 public:
  void note(const Outcome& outcome) { ++of(outcome.kind); }
  void note_rejected(std::uint64_t commands) { rejected_ += commands; }
  void note_unavailable(std::uint64_t commands) { unavailable_ += commands; }
  IngestCounts read() const {
    return {accepted_.load(), duplicates_.load(), rejected_.load(), deferred_.load(), unavailable_.load()};
  }

 private:
  std::atomic<std::uint64_t>& of(Outcome::Kind kind) {
    if (kind == Outcome::Kind::kAccepted) return accepted_;
    if (kind == Outcome::Kind::kDuplicate) return duplicates_;
    return kind == Outcome::Kind::kRejected ? rejected_ : deferred_;
  }

  std::atomic<std::uint64_t> accepted_{0}, duplicates_{0}, rejected_{0}, deferred_{0}, unavailable_{0};
};

}  // namespace kleptometrics::aggregator
