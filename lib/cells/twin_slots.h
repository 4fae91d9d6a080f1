// A few numbers that change together, in memory that may be read at any instant: by another thread, or after a kill by
// whoever finds the file. There are two slots; a version says which of them counts, and the other one is being written.
// Each slot carries a check, by which a reader knows that it has one version whole, and that no bit of it was flipped.
//
// One writer. Readers never stop it. Lies in mapped memory: every member is lock-free and nothing points anywhere.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace kleptometrics::cells {

template <std::size_t N>
class TwinSlots {
 public:
  using Words = std::array<std::uint64_t, N>;
  struct Read {
    std::uint64_t version = 0;
    Words words{};
  };

  // Versions count up by one from 1. Stores are ordered: a reader who sees the version sees the words.
  void write(std::uint64_t version, const Words& words) noexcept {
    Slot& slot = slots_[version & 1U];
    for (std::size_t i = 0; i < N; ++i) slot.words[i].store(words[i], std::memory_order_relaxed);
    slot.check.store(check_of(version, words), std::memory_order_relaxed);
    version_.store(version, std::memory_order_release);
  }

  std::uint64_t version() const noexcept { return version_.load(std::memory_order_acquire); }
  // Version 0, all zeros: nothing was written yet. Nullopt if the slot does not prove itself: it was damaged, or its
  // writer has come round to it meanwhile.
  std::optional<Read> read() const noexcept {
    const std::uint64_t version = this->version();
    return version == 0 ? Read{} : read_slot(version);
  }

 private:
  struct Slot {
    std::array<std::atomic<std::uint64_t>, N> words;
    std::atomic<std::uint64_t> check;
  };

  static std::uint64_t check_of(std::uint64_t version, const Words& words) noexcept {
    std::uint64_t check = version;
    for (const std::uint64_t word : words) check = std::rotl(check, 13) ^ word;
    return ~check;
  }

  std::optional<Read> read_slot(std::uint64_t version) const noexcept {
    const Slot& slot = slots_[version & 1U];
    Read out;
    out.version = version;
    for (std::size_t i = 0; i < N; ++i) out.words[i] = slot.words[i].load(std::memory_order_acquire);
    if (slot.check.load(std::memory_order_relaxed) != check_of(version, out.words)) return std::nullopt;
    return out;
  }

  std::atomic<std::uint64_t> version_;
  std::array<Slot, 2> slots_;
};

static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

}  // namespace kleptometrics::cells
