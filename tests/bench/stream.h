// The order in which a history reaches the aggregator: by ends, but for what goes wrong in real life. Some runs come
// late, as from a machine that was cut off; some come again, as after an answer that was lost. Bounded memory: what is
// late is found by arithmetic, not kept. One thread at a time; borrows the history.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tests/bench/history.h"

namespace kleptometrics::bench {

struct StreamOptions {
  unsigned late_percent = 0;  // of the runs: sent `late_by` after their turn, at the latest behind all others
  Nanos late_by = 3 * kNanosPerDay;
  // For so many in a hundred runs one that has had its turn before is sent again: most often a recent one, but any; how
  // far back is uniform in the logarithm, from the last ten thousand runs to all.
  unsigned resend_percent = 0;
};

class Stream {
 public:
  Stream(const History& history, const StreamOptions& options) : Stream(history, options, 0, history.options().runs) {}
  // Turns from `first` to below `last` alone. What is late leaves with the part in which its time comes, and with the
  // part that ends the history.
  Stream(const History& history, const StreamOptions& options, std::uint64_t first, std::uint64_t last);

  // What the next `turns` turns send, in place of what `batch` held; where runs are late or sent again that is not
  // exactly as many. False: nothing is left, and `batch` is empty.
  bool next(std::size_t turns, std::vector<Sample>& batch);

  std::uint64_t sent_again() const { return sent_again_; }  // so far

 private:
  void take_turn(std::vector<Sample>& batch);
  bool is_late(std::uint64_t number) const;

  const History& history_;
  const StreamOptions options_;
  const std::uint64_t late_turns_;
  std::uint64_t turn_, last_;
  std::uint64_t sent_again_ = 0;
};

}  // namespace kleptometrics::bench
