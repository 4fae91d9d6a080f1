#include "tests/fuzz/journal_repair.h"

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

// Where every copy of a head keeps its checksum, in every version.
constexpr std::size_t kCopyBytes = kHeadBytes / 2;
constexpr std::size_t kCopyCrcAt = kCopyBytes - sizeof(std::uint32_t);

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

std::uint64_t sum_of(const char* words, std::size_t bytes) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < bytes; i += sizeof sum) sum += get<std::uint64_t>(words + i);
  return sum;
}

}  // namespace

void JournalRepair::heads() const {
  for (std::size_t at = 0; at < kHeadBytes && at + kCopyBytes <= size_; at += kCopyBytes)
    put(bytes_ + at + kCopyCrcAt, journal::crc32c(0, bytes_ + at, kCopyCrcAt));
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
    if (area.is(AreaKind::kStepCell, sizeof(cells::StepArea))) prove_slots<cells::StepArea::kWords>(area.open);
    if (area.is(AreaKind::kCounter, sizeof(cells::NumberArea)) ||
        area.is(AreaKind::kProgress, sizeof(cells::NumberArea)))
      prove_slots<1>(area.open);
  }
}

void JournalRepair::counts() const {
  struct Cell {
    char* open = nullptr;
    std::uint64_t count = 0;
  };
  std::map<std::pair<Uuid, std::uint64_t>, Cell> cells;
  Place place;
  for (std::size_t at = kHeadBytes; next(at, &place); at = behind(place)) {
    const Area area = area_at(bytes_, place);
    if (area.is(AreaKind::kStepCell, sizeof(cells::StepArea))) {
      Cell& cell = cells[{area.name->run, area.name->cell}];
      cell.open = area.open;
      cell.count += get<std::uint64_t>(area.open + offsetof(cells::StepArea, zeros));
    } else if (area.is(AreaKind::kOctave, sizeof(cells::OctaveArea))) {
      cells[{area.name->run, area.name->cell}].count += sum_of(area.open, area.open_bytes);
    }
  }
  for (const auto& [name, cell] : cells)
    if (cell.open != nullptr) prove_slots<cells::StepArea::kWords>(cell.open, cell.count);
}

}  // namespace kleptometrics::fuzz
