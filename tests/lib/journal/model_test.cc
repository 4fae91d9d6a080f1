// A seeded random walk of a writer beside a std::map, with the file read again on the way.
#include <map>
#include <random>

#include "tests/lib/journal/spool.h"

namespace kleptometrics::journal::test {
namespace {

struct Kept {
  std::string payload;
  bool terminal = false;
  bool delivered = false;
};

class Walk {
 public:
  Walk(std::uint64_t seed, std::size_t live_wished, std::size_t payload_bytes_max)
      : random_(seed), live_wished_(live_wished), payload_bytes_max_(payload_bytes_max) {}

  void step() {
    const auto roll = random_() % 10U;
    if (model_.size() < live_wished_ ? roll < 7 : roll < 4) return append();
    if (model_.empty()) return;
    const Sequence any = any_live();
    if (roll == 9) return deliver(any);
    writer_->retire(any);
    model_.erase(any);
  }

  // The writer, its file and the model say the same.
  void compare() {
    const Contents contents = contents_of(*writer_);
    REQUIRE(contents.damaged == 0);
    reconcile(contents);
    REQUIRE(contents.records.size() == model_.size());
    for (const Record& record : contents.records) {
      REQUIRE(model_.count(record.sequence) == 1);
      REQUIRE(model_[record.sequence].payload == record.payload);
      REQUIRE(model_[record.sequence].terminal == record.terminal);
    }
    REQUIRE(writer_->live_count() == model_.size());
    compare_pending();
  }

  std::uint64_t dropped() const { return writer_->dropped(); }

 private:
  Sequence any_live() {
    return std::next(model_.begin(), static_cast<std::ptrdiff_t>(random_() % model_.size()))->first;
  }

  void append() {
    std::string payload(random_() % (1 + random_() % payload_bytes_max_), '\0');
    // Every unit of some payloads begins like a live record.
    const bool evil = random_() % 4U == 0;
    for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = evil ? "LIVE"[i % 4] : static_cast<char>(random_());
    const bool terminal = random_() % 3U == 0;
    const Sequence older = !model_.empty() && random_() % 2U == 0 ? any_live() : 0;
    const std::uint64_t dropped_before = writer_->dropped();
    const Sequence sequence = writer_->append(payload, terminal, older);
    if (sequence == 0) {
      REQUIRE(writer_->dropped() == dropped_before + 1);
      ++refused_;
      return;
    }
    REQUIRE(sequence > last_);
    last_ = sequence;
    if (writer_->dropped() != dropped_before) reconcile(contents_of(*writer_), terminal, older, sequence);
    model_.erase(older);
    model_[sequence] = {payload, terminal, false};
  }

  void deliver(Sequence sequence) {
    writer_->delivered(sequence);
    model_[sequence].delivered = true;
  }

  // After evictions: takes out of the model what is gone, which must have been free to go.
  void reconcile(const Contents& contents, bool for_terminal = false, Sequence older = 0, Sequence newer = 0) {
    std::map<Sequence, bool> found;
    for (const Record& record : contents.records) found[record.sequence] = true;
    for (auto it = model_.begin(); it != model_.end();) {
      if (found.count(it->first) != 0 || it->first == older || newer == 0) {
        ++it;
        continue;
      }
      REQUIRE((it->second.delivered ? for_terminal : !it->second.terminal));
      ++evicted_;
      it = model_.erase(it);
    }
    REQUIRE(writer_->dropped() == evicted_ + refused_);
  }

  void compare_pending() {
    std::size_t expected = 0;
    for (const auto& [sequence, kept] : model_) expected += kept.delivered ? 0 : 1;
    REQUIRE(writer_->pending_count() == expected);
    const auto pending = writer_->pending(0, SIZE_MAX, SIZE_MAX);
    REQUIRE(pending.size() == expected);
    for (const Record& record : pending) REQUIRE(model_.at(record.sequence).payload == record.payload);
  }

  const Spool spool_;
  const std::unique_ptr<Writer> writer_ = spool_.open();
  std::mt19937_64 random_;
  std::size_t live_wished_;
  std::size_t payload_bytes_max_;
  std::map<Sequence, Kept> model_;
  Sequence last_ = 0;
  std::uint64_t evicted_ = 0;
  std::uint64_t refused_ = 0;
};

TEST_CASE("a writer with room to spare follows the model and drops nothing") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    INFO("seed " << seed);
    Walk walk(seed, 60, 300);
    for (int i = 0; i < 2000; ++i) {
      walk.step();
      if (i % 40 == 0) walk.compare();
    }
    walk.compare();
    REQUIRE(walk.dropped() == 0);
  }
}

TEST_CASE("a writer that is always full drops only what may go, and counts it") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    INFO("seed " << seed);
    Walk walk(seed, 400, 2000);
    for (int i = 0; i < 1000; ++i) {
      walk.step();
      if (i % 40 == 0) walk.compare();
    }
    walk.compare();
    REQUIRE(walk.dropped() > 0);
  }
}

}  // namespace
}  // namespace kleptometrics::journal::test
