// What the writer knows of its records: where each lies and in what state it is, in order of sequence. For
// the writer alone, which never trusts what it could read back from the file. No memory is taken after
// construction. Not synchronised.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kleptometrics::journal {

enum class RecordState : std::uint8_t {
  kPending,    // the aggregator does not have it
  kDelivered,  // it has, but the run is still open
  kGone,       // its units are free
};

struct IndexEntry {
  std::uint64_t sequence = 0;
  std::uint32_t unit = 0;
  std::uint32_t length = 0;  // of the payload
  RecordState state = RecordState::kPending;
  bool terminal = false;
  std::uint64_t since =
      0;  // sequence of the first record of its run that was not delivered when the next took its place

  // May be given up for a newer record.
  bool is_progress() const noexcept { return state == RecordState::kPending && !terminal; }
};

class RecordIndex {
 public:
  // `live_max`: the most records that are ever there at once.
  explicit RecordIndex(std::size_t live_max);

  // Its sequence is above all others. Moves entries: positions and pointers end here.
  void push(const IndexEntry& entry) noexcept;
  // Null if it is gone.
  IndexEntry* find(std::uint64_t sequence) noexcept;
  void set(IndexEntry& entry, RecordState state) noexcept;

  // Entries by position, those that are gone included.
  std::size_t size() const noexcept { return entries_.size(); }
  const IndexEntry& at(std::size_t position) const noexcept { return entries_[position]; }
  // Position of the first entry with a sequence above `sequence`; size() if none.
  std::size_t position_after(std::uint64_t sequence) const noexcept;
  // Position before which no entry is progress.
  std::size_t first_progress() noexcept;

  // True if anything that was recorded up to `sequence` is pending, in whichever later record.
  bool pending_since(std::uint64_t sequence) const noexcept;

  std::size_t live_count() const noexcept { return pending_ + delivered_; }
  std::size_t pending_count() const noexcept { return pending_; }
  std::size_t delivered_count() const noexcept { return delivered_; }

 private:
  std::size_t& counter(RecordState state) noexcept;
  void compact() noexcept;

  std::vector<IndexEntry> entries_;
  std::size_t pending_ = 0;
  std::size_t delivered_ = 0;
  std::size_t gone_ = 0;
  std::size_t first_progress_ = 0;
};

}  // namespace kleptometrics::journal
