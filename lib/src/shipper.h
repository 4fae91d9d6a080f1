// The worker's errand: takes snapshots out of the journal in batches, pushes them, frees what the aggregator has, and
// waits longer after each failure. Turned by the client's worker thread, or by a test.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/journal/journal.h"
#include "lib/src/snapshot.h"
#include "lib/src/transport.h"

namespace kleptometrics::internal {

// Any thread may read.
struct ShipperCounts {
  std::atomic<std::uint64_t> delivered{0}, duplicates{0}, rejected{0}, retries{0};
};

// One thread at a time, except counts().
class Shipper {
 public:
  // Back-off doubles from the first to the second, less a random half (AWS Architecture Blog, "Exponential
  // Backoff And Jitter").
  static constexpr Nanos kFirstDelay = 100'000'000;
  static constexpr Nanos kLongestDelay = 30 * kNanosPerSecond;
  // A push takes many times its bytes while it is put together: what a host pays for an aggregator that is away.
  static constexpr std::size_t kBatchRuns = 1000;
  static constexpr std::size_t kBatchBytes = 1U << 18U;

  // Borrows all three. `on_trouble` gets a sentence each time something goes wrong.
  Shipper(journal::Writer& journal, Transport& transport, const Clock& clock,
          std::function<void(std::string_view)> on_trouble);

  enum class Turn {
    kNothing,    // nothing was pending, or it is too early to try again
    kDelivered,  // everything pending at the start is settled
    kFailed,     // some of it must be tried again
  };
  // Pushes what is pending. `hurry`: does not wait out the back-off.
  Turn turn(bool hurry);

  const ShipperCounts& counts() const noexcept { return counts_; }

 private:
  enum class Push { kSettled, kDeferred, kFailed };
  Push push(const std::vector<journal::Record>& records);
  Push settle(const std::vector<journal::Record>& records, const Answer& answer);
  Push split(const std::vector<journal::Record>& records, const Reply& reply);
  void done(const journal::Record& record);
  void refuse(const journal::Record& record, std::string_view why);
  void back_off();

  journal::Writer& journal_;
  Transport& transport_;
  const Clock& clock_;
  const std::function<void(std::string_view)> on_trouble_;
  ShipperCounts counts_;
  Nanos delay_ = 0;       // 0: the last push went well
  Nanos not_before_ = 0;  // steady
  std::uint64_t random_;
};

}  // namespace kleptometrics::internal
