#include "lib/journal/index.h"

#include <algorithm>

namespace kleptometrics::journal {
namespace {

constexpr std::size_t kGoneSlack = 64;  // a small index is not compacted at every turn

}  // namespace

RecordIndex::RecordIndex(std::size_t live_max) {
  entries_.reserve(2 * live_max + kGoneSlack + 2);  // see push
}

void RecordIndex::push(const IndexEntry& entry) noexcept {
  if (gone_ > live_count() + kGoneSlack) compact();
  entries_.push_back(entry);
  ++counter(entry.state);
}

IndexEntry* RecordIndex::find(std::uint64_t sequence) noexcept {
  if (sequence == 0) return nullptr;
  const std::size_t position = position_after(sequence - 1);
  if (position == entries_.size() || entries_[position].sequence != sequence) return nullptr;
  IndexEntry& entry = entries_[position];
  return entry.state == RecordState::kGone ? nullptr : &entry;
}

void RecordIndex::set(IndexEntry& entry, RecordState state) noexcept {
  --counter(entry.state);
  ++counter(state);
  entry.state = state;
}

// Sequences rise by one or more an entry, so the distance to the ends bounds the position from both sides:
// mostly the search has nothing left to do.
std::size_t RecordIndex::position_after(std::uint64_t sequence) const noexcept {
  if (entries_.empty() || sequence < entries_.front().sequence) return 0;
  if (sequence >= entries_.back().sequence) return entries_.size();
  const std::uint64_t from_front = sequence - entries_.front().sequence + 1;
  const std::uint64_t from_back = entries_.back().sequence - sequence;
  const std::size_t high = std::min<std::uint64_t>(from_front, entries_.size());
  const std::size_t low = from_back < entries_.size() ? entries_.size() - from_back : 0;
  const auto begin = entries_.begin();
  const auto found =
      std::upper_bound(begin + static_cast<std::ptrdiff_t>(low), begin + static_cast<std::ptrdiff_t>(high), sequence,
                       [](std::uint64_t s, const IndexEntry& e) { return s < e.sequence; });
  return static_cast<std::size_t>(found - begin);
}

bool RecordIndex::pending_since(std::uint64_t sequence) const noexcept {
  return std::any_of(entries_.begin(), entries_.end(), [sequence](const IndexEntry& entry) {
    return entry.state == RecordState::kPending && entry.since <= sequence;
  });
}

std::size_t RecordIndex::first_progress() noexcept {
  // An entry never becomes progress again, so the position only rises (but for compact).
  while (first_progress_ < entries_.size() && !entries_[first_progress_].is_progress()) ++first_progress_;
  return first_progress_;
}

std::size_t& RecordIndex::counter(RecordState state) noexcept {
  if (state == RecordState::kPending) return pending_;
  return state == RecordState::kDelivered ? delivered_ : gone_;
}

void RecordIndex::compact() noexcept {
  std::erase_if(entries_, [](const IndexEntry& entry) { return entry.state == RecordState::kGone; });
  gone_ = 0;
  first_progress_ = 0;
}

}  // namespace kleptometrics::journal
