#include "tests/fuzz/journal_repair.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "lib/cells/areas.h"
#include "lib/journal/crc32c.h"

namespace kleptometrics::fuzz {
namespace {

using cells::AreaKind;
using cells::AreaName;
using journal::get;
using journal::kHeadBytes;
using journal::kRecordHeadBytes;
using journal::kUnitBytes;
using journal::put;
using journal::RecordHead;

// Gives the slots at `at`, whatever is in them, their checks. With a version of their own or with this one.
template <std::size_t N>
void prove_slots(char* at, std::optional<std::uint64_t> version = std::nullopt) {
  using Slots = cells::TwinSlots<N>;
  constexpr std::size_t kSlotWords = N + 1;
  std::array<std::uint64_t, 1 + 2 * kSlotWords> raw{};
  static_assert(sizeof raw == sizeof(Slots));
  std::memcpy(raw.data(), at, sizeof raw);
  Slots proven{};
  for (const std::uint64_t now : {version.value_or(raw[0]) - 1, version.value_or(raw[0])}) {
    typename Slots::Words words{};
    for (std::size_t i = 0; i < N; ++i) words[i] = raw[1 + (now & 1U) * kSlotWords + i];
    proven.write(now, words);
  }
  std::memcpy(at, &proven, sizeof proven);
}

// An area, as far as it is one of ours.
struct Area {
  std::optional<AreaName> name;
  char* open = nullptr;
  std::size_t open_bytes = 0;

  bool is(AreaKind kind, std::size_t bytes) const { return name && name->kind == kind && open_bytes == bytes; }
};

Area area_at(char* bytes, const JournalRepair::Place& place) {
  Area area;
  if (!place.open) return area;
  char* const fixed = bytes + place.at + kRecordHeadBytes;
  area.name = AreaName::parse({fixed, place.head.flags});
  area.open = fixed + journal::open_part_at(place.head.flags);
  area.open_bytes = place.head.length - journal::open_part_at(place.head.flags);
  return area;
}

// The words of a table as they must be; how many hits they hold then: whole rounds, as of a cell that is not folding.
std::uint64_t prove_table(char* words, std::size_t bytes) {
  constexpr unsigned kCountBits = 50;
  std::uint64_t sum = 0;
  char* last = nullptr;
  for (std::size_t i = 0; i + sizeof sum <= bytes; i += sizeof sum) {
    const auto word = get<std::uint64_t>(words + i);
    if (word == 0) continue;
    const std::uint64_t count = word & ((std::uint64_t{1} << kCountBits) - 1);
    put(words + i, (word >> kCountBits) / 3 * 3 << kCountBits | count);
    sum += count;
    last = words + i;
  }
  const std::uint64_t more = (cells::StepArea::kRecent - sum % cells::StepArea::kRecent) % cells::StepArea::kRecent;
  if (last != nullptr) put(last, get<std::uint64_t>(last) + more);
  return last != nullptr ? sum + more : 0;
}

void prove_recent(char* at) {
  using cells::Sealed;
  for (std::size_t i = 0; i < cells::StepArea::kRecent; ++i, at += sizeof(std::uint64_t)) {
    const auto word = get<std::uint64_t>(at);
    if (word != 0) put(at, Sealed::seal(Sealed::value_of(word), word & (Sealed::kFirstMark | Sealed::kSecondMark)));
  }
}

}  // namespace

void JournalRepair::heads() const {
  for (std::size_t at = 0; at < kHeadBytes && at + journal::kHeadCopyBytes <= size_; at += journal::kHeadCopyBytes)
    put(bytes_ + at + journal::kHeadCrcAt, journal::crc32c(0, bytes_ + at, journal::kHeadCrcAt));
}

journal::Key JournalRepair::key() const {
  const journal::HeadRead read = journal::read_head({bytes_, size_});
  return read.error == journal::ReadError::kNone ? read.head.key : read.keys[0];
}

bool JournalRepair::next(std::size_t from, Place* place) const {
  for (std::size_t at = from; at + kRecordHeadBytes <= size_; at += kUnitBytes) {
    const RecordHead head = journal::read_record_head(bytes_ + at);
    const bool open = journal::looks_like(head.mark, journal::kOpen);
    if (!open && !journal::looks_like(head.mark, journal::kLive)) continue;
    if (head.length > size_ - at - kRecordHeadBytes) continue;
    if (open && journal::open_part_at(head.flags) > head.length) continue;
    *place = {at, head, open};
    return true;
  }
  return false;
}

std::size_t JournalRepair::behind(const Place& place) {
  return place.at + journal::units_of(place.head.length) * kUnitBytes;
}

void JournalRepair::checksums() const {
  const journal::Key secret = key();
  Place place;
  for (std::size_t at = kHeadBytes; next(at, &place); at = behind(place)) {
    const std::size_t covered = place.open ? place.head.flags : place.head.length;
    place.head.crc = journal::record_crc(secret, place.head, {bytes_ + place.at + kRecordHeadBytes, covered});
    journal::write_record_head(place.head, bytes_ + place.at);
  }
}

void JournalRepair::slots() const {
  Place place;
  for (std::size_t at = kHeadBytes; next(at, &place); at = behind(place)) {
    const Area area = area_at(bytes_, place);
    if (area.is(AreaKind::kStepCell, sizeof(cells::StepArea))) {
      prove_recent(area.open + offsetof(cells::StepArea, recent));
      prove_slots<cells::StepArea::kSums>(area.open + offsetof(cells::StepArea, folded));
    }
    if (area.is(AreaKind::kCounter, sizeof(cells::NumberArea)) ||
        area.is(AreaKind::kProgress, sizeof(cells::NumberArea)))
      prove_slots<1>(area.open);
  }
}

void JournalRepair::counts() const {
  struct Cell {
    char* open = nullptr;
    std::map<std::uint64_t, std::uint64_t> hits;  // by number of the table
  };
  std::map<std::pair<Uuid, std::uint64_t>, Cell> cells;
  Place place;
  for (std::size_t at = kHeadBytes; next(at, &place); at = behind(place)) {
    const Area area = area_at(bytes_, place);
    if (area.is(AreaKind::kStepCell, sizeof(cells::StepArea))) {
      cells[{area.name->run, area.name->cell}].open = area.open;
    } else if (area.name && area.name->kind == AreaKind::kTable) {
      const std::uint64_t hits = prove_table(area.open, area.open_bytes);
      cells[{area.name->run, area.name->cell}].hits[area.name->table] = hits;
    }
  }
  for (auto& [name, cell] : cells) {
    if (cell.open == nullptr) continue;
    const auto table = get<std::uint64_t>(cell.open + offsetof(cells::StepArea, table));
    prove_slots<cells::StepArea::kSums>(cell.open + offsetof(cells::StepArea, folded),
                                        cell.hits[table] / cells::StepArea::kRecent);
  }
}

}  // namespace kleptometrics::fuzz
