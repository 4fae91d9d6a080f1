#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <mutex>
#include <new>
#include <utility>

#include "lib/base/fork.h"
#include "lib/journal/format.h"
#include "lib/journal/index.h"
#include "lib/journal/journal.h"
#include "lib/journal/storage.h"
#include "lib/journal/units.h"

namespace kleptometrics::journal {
namespace {

constexpr std::size_t kBytesMin = 64U << 10U;
constexpr std::size_t kAreaShare = 4;      // one part of so many may be taken by areas
constexpr std::size_t kCopiesAtOnce = 32;  // records that pending() copies before it lets others in

std::size_t file_bytes(std::size_t wanted) noexcept {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t bytes = std::clamp(wanted, kBytesMin, kBytesMax);
  return (bytes + page - 1) / page * page;
}

// The compiler must not move stores across. The processor needs no telling: what a killed thread had stored
// before it was killed stays stored, in order, as its own kernel sees it.
void stores_end_here() noexcept { std::atomic_signal_fence(std::memory_order_seq_cst); }

}  // namespace

struct Writer::State {
  State(std::size_t bytes, Key the_key)
      : key(the_key),
        units((bytes - kHeadBytes) / kUnitBytes),
        planned(units.size()),
        owners(units.size(), 0),
        index(units.size()) {}

  Sequence append(std::string_view payload, bool terminal, Sequence supersedes) noexcept;
  void retire(Sequence sequence) noexcept;
  void deliver(Sequence sequence) noexcept;
  bool copy_some(Sequence after, std::size_t count_max, std::size_t bytes_max, std::size_t* bytes,
                 std::vector<Record>* out) const;
  char* reserve(std::string_view fixed, std::size_t open_bytes) noexcept;
  void release(const char* open) noexcept;

  // In a forked child nothing may be touched: the mutex may be held for ever, and the mapping is the parent's.
  bool inert() const noexcept { return generation != fork_generation(); }

  const std::uint64_t generation = fork_generation();
  mutable std::mutex mutex;  // guards all below but storage's path, which never changes
  Storage storage;           // given once, after all other memory is there
  const Key key;
  UnitMap units;
  UnitMap planned;               // scratch of make_room
  std::vector<Sequence> owners;  // of each unit that is taken: its record or area
  RecordIndex index;
  std::atomic<bool> durable{false};
  std::size_t cursor = 0;      // unit from which room is looked for
  std::size_t units_last = 1;  // size of the newest record
  Sequence sequence_last = 0;
  std::size_t area_units = 0;  // taken by areas
  std::uint64_t dropped = 0;
  State* abandoned_before = nullptr;

 private:
  std::size_t areas_begin() const noexcept { return units.size() - units.size() / kAreaShare; }
  char* at(std::size_t unit) const noexcept { return storage.base() + kHeadBytes + unit * kUnitBytes; }
  std::size_t room_for(std::size_t count, bool terminal, Sequence keep) noexcept;
  std::size_t make_room(std::size_t count, bool terminal, Sequence keep) noexcept;
  template <typename Evictable>
  std::size_t plan(std::size_t from, std::size_t count, Sequence keep, Evictable evictable) noexcept;
  void evict(std::size_t first, std::size_t count) noexcept;
  void write(std::size_t unit, const RecordHead& head, std::string_view payload) noexcept;
  void bury(IndexEntry& entry) noexcept;
  void free_units(std::size_t first, std::size_t count) noexcept;
  void drop() noexcept { store_dropped(storage.base(), ++dropped); }
};

Sequence Writer::State::append(std::string_view payload, bool terminal, Sequence supersedes) noexcept {
  const std::lock_guard lock(mutex);
  const bool possible = payload.size() <= units.size() * kUnitBytes - kRecordHeadBytes;
  const std::size_t count = units_of(possible ? payload.size() : 0);
  const std::size_t unit = possible ? room_for(count, terminal, supersedes) : UnitMap::kNone;
  if (unit == UnitMap::kNone) {
    drop();
    return 0;
  }
  const auto length = static_cast<std::uint32_t>(payload.size());
  RecordHead head{kLive, length, ++sequence_last, terminal ? kFlagTerminal : 0, 0};
  head.crc = record_crc(key, head, payload);
  units.take(unit, count);
  std::fill_n(owners.begin() + static_cast<std::ptrdiff_t>(unit), count, head.sequence);
  write(unit, head, payload);
  const IndexEntry* const before = index.find(supersedes);
  const bool untold = before != nullptr && before->state == RecordState::kPending;
  const Sequence since = untold ? before->since : head.sequence;
  index.push({head.sequence, static_cast<std::uint32_t>(unit), length, RecordState::kPending, terminal, since});
  cursor = unit + count < areas_begin() ? unit + count : 0;
  units_last = count;
  if (IndexEntry* older = index.find(supersedes)) bury(*older);
  return head.sequence;
}

void Writer::State::retire(Sequence sequence) noexcept {
  const std::lock_guard lock(mutex);
  if (IndexEntry* entry = index.find(sequence)) bury(*entry);
}

void Writer::State::deliver(Sequence sequence) noexcept {
  const std::lock_guard lock(mutex);
  if (IndexEntry* entry = index.find(sequence)) index.set(*entry, RecordState::kDelivered);
}

// Copies a few; true if there may be more. `bytes`: copied so far.
bool Writer::State::copy_some(Sequence after, std::size_t count_max, std::size_t bytes_max, std::size_t* bytes,
                              std::vector<Record>* out) const {
  const std::lock_guard lock(mutex);
  const std::size_t stop = std::min(count_max, out->size() + kCopiesAtOnce);
  for (std::size_t i = index.position_after(after); i < index.size(); ++i) {
    const IndexEntry& entry = index.at(i);
    if (entry.state != RecordState::kPending) continue;
    if (out->size() == stop) return stop < count_max;
    if (!out->empty() && (*bytes > bytes_max || entry.length > bytes_max - *bytes)) return false;
    out->push_back({entry.sequence, entry.terminal, std::string(at(entry.unit) + kRecordHeadBytes, entry.length)});
    *bytes += entry.length;
  }
  return false;
}

// Areas hold no record, so nothing that looks for records to drop ever comes across them: they keep to the end of the
// file, so that large records find room in one piece before them.
char* Writer::State::reserve(std::string_view fixed, std::size_t open_bytes) noexcept {
  const std::lock_guard lock(mutex);
  const std::size_t bytes_max = units.size() / kAreaShare * kUnitBytes;
  if (fixed.size() > bytes_max || open_bytes > bytes_max) return nullptr;
  const std::size_t length = open_part_at(fixed.size()) + open_bytes;
  const std::size_t count = units_of(length);
  if (area_units + count > units.size() / kAreaShare) return nullptr;
  const std::size_t unit = units.find(areas_begin(), count);
  if (unit == UnitMap::kNone) return nullptr;
  RecordHead head{kOpen, static_cast<std::uint32_t>(length), ++sequence_last, static_cast<std::uint32_t>(fixed.size()),
                  0};
  head.crc = record_crc(key, head, fixed);
  units.take(unit, count);
  std::fill_n(owners.begin() + static_cast<std::ptrdiff_t>(unit), count, head.sequence);
  area_units += count;
  std::memset(at(unit), 0, count * kUnitBytes);
  stores_end_here();
  write_record_head(head, at(unit));
  std::memcpy(at(unit) + kRecordHeadBytes, fixed.data(), fixed.size());
  store_mark(at(unit), kOpen);
  return at(unit) + kRecordHeadBytes + open_part_at(fixed.size());
}

void Writer::State::release(const char* open) noexcept {
  const std::lock_guard lock(mutex);
  std::size_t first = static_cast<std::size_t>(open - at(0)) / kUnitBytes;
  std::size_t end = first + 1;
  const Sequence owner = owners[first];
  while (first > 0 && owners[first - 1] == owner) --first;
  while (end < owners.size() && owners[end] == owner) ++end;
  area_units -= end - first;
  free_units(first, end - first);
  std::fill(owners.begin() + static_cast<std::ptrdiff_t>(first), owners.begin() + static_cast<std::ptrdiff_t>(end), 0);
}

std::size_t Writer::State::room_for(std::size_t count, bool terminal, Sequence keep) noexcept {
  std::size_t unit = units.find(cursor, count, areas_begin());
  if (unit == UnitMap::kNone) unit = units.find(areas_begin(), count);
  return unit != UnitMap::kNone ? unit : make_room(count, terminal, keep);
}

// Drops nothing unless that makes the room that is needed, and only what lies there.
std::size_t Writer::State::make_room(std::size_t count, bool terminal, Sequence keep) noexcept {
  planned = units;
  std::size_t unit = plan(index.first_progress(), count, keep, [](const IndexEntry& e) { return e.is_progress(); });
  if (unit == UnitMap::kNone && terminal && index.delivered_count() > 0) {
    unit = plan(0, count, keep, [](const IndexEntry& e) { return e.state == RecordState::kDelivered; });
  }
  if (unit != UnitMap::kNone) evict(unit, count);
  return unit;
}

// Frees, on the plan only, one evictable record after the other, oldest first, until `count` units in a row
// are free.
template <typename Evictable>
std::size_t Writer::State::plan(std::size_t from, std::size_t count, Sequence keep, Evictable evictable) noexcept {
  for (std::size_t i = from; i < index.size(); ++i) {
    const IndexEntry& entry = index.at(i);
    if (!evictable(entry) || entry.sequence == keep) continue;
    const std::size_t freed = units_of(entry.length);
    planned.release(entry.unit, freed);
    // There was no room before, so if there is now, it includes what was just freed.
    const std::size_t unit = planned.find_around(entry.unit, freed, count);
    if (unit != UnitMap::kNone) return unit;
  }
  return UnitMap::kNone;
}

void Writer::State::evict(std::size_t first, std::size_t count) noexcept {
  for (std::size_t unit = first; unit < first + count; ++unit) {
    if (units.is_free(unit)) continue;
    bury(*index.find(owners[unit]));
    drop();
  }
}

// At every instruction the units hold either nothing that passes for a record, or this one whole.
void Writer::State::write(std::size_t unit, const RecordHead& head, std::string_view payload) noexcept {
  char* const start = at(unit);
  // A dead record's head may lie in each of the units, whole but for its mark. The payload might put "LIVE"
  // just there, and end, or be cut off by a kill, right behind it: the dead would rise. So wipe them all
  // first.
  const std::size_t end = units_of(payload.size()) * kUnitBytes;
  for (std::size_t i = 0; i < end; i += kUnitBytes) std::memset(start + i, 0, kRecordHeadBytes);
  stores_end_here();
  write_record_head(head, start);
  if (!payload.empty()) std::memcpy(start + kRecordHeadBytes, payload.data(), payload.size());
  store_mark(start, head.mark);
}

void Writer::State::bury(IndexEntry& entry) noexcept {
  free_units(entry.unit, units_of(entry.length));
  index.set(entry, RecordState::kGone);
}

void Writer::State::free_units(std::size_t first, std::size_t count) noexcept {
  store_mark(at(first), kDead);
  // What says "LIVE" or "OPEN" where a unit begins would be counted as damage from now on.
  for (std::size_t unit = first + 1; unit < first + count; ++unit) {
    const auto mark = get<std::uint32_t>(at(unit));
    if (looks_like(mark, kLive) || looks_like(mark, kOpen)) store_mark(at(unit), kDead);
  }
  units.release(first, count);
  // Go back to a place that the next record likely fits: a program that reports one run over and over keeps
  // to two places, and a page or two, instead of dirtying the whole file.
  if (first < cursor && count >= units_last && first < areas_begin()) cursor = first;
}

namespace {

Storage make_storage(const Writer::Options& options, std::size_t bytes, Key key, std::string* error) {
  if (options.directory.empty()) return Storage::make_private(bytes);
  std::string why;
  try {
    Storage storage = Storage::make_file(options, {Producer::self(), bytes, key}, &why);
    if (storage.base() != nullptr) return storage;
  } catch (const std::bad_alloc&) {
    why = "out of memory";
  }
  if (error != nullptr) error->swap(why);
  return Storage::make_private(bytes);
}

}  // namespace

std::unique_ptr<Writer> Writer::open(const Options& options, std::string* error) noexcept {
  try {
    count_forks();
    const Key key = random_bits();
    const std::size_t bytes = file_bytes(options.bytes);
    // All memory before the file: once that is there, nothing can fail.
    std::unique_ptr<Writer> writer(new Writer(std::make_unique<State>(bytes, key)));
    State& state = *writer->state_;
    state.storage = make_storage(options, bytes, key, error);
    state.durable = !state.storage.path().empty();
    return state.storage.base() != nullptr ? std::move(writer) : nullptr;
  } catch (const std::exception&) {
    return nullptr;
  }
}

Writer::Writer(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}

Writer::~Writer() {
  if (!state_->inert()) return;
  // Another thread of the parent may have held the mutex at the fork, and destroying a held one is not
  // allowed. Chained, so that leak checkers see that nothing is forgotten.
  static std::atomic<State*> abandoned{nullptr};
  State* const state = state_.release();
  state->abandoned_before = abandoned.exchange(state);
}

Sequence Writer::append(std::string_view payload, bool terminal, Sequence supersedes) noexcept {
  return state_->inert() ? 0 : state_->append(payload, terminal, supersedes);
}

void Writer::retire(Sequence sequence) noexcept {
  if (!state_->inert()) state_->retire(sequence);
}

void Writer::delivered(Sequence sequence) noexcept {
  if (!state_->inert()) state_->deliver(sequence);
}

char* Writer::reserve(std::string_view fixed, std::size_t open_bytes) noexcept {
  return state_->inert() ? nullptr : state_->reserve(fixed, open_bytes);
}

void Writer::release(char* open) noexcept {
  if (open != nullptr && !state_->inert()) state_->release(open);
}

std::vector<Record> Writer::pending(Sequence after, std::size_t count_max, std::size_t bytes_max) const {
  std::vector<Record> out;
  if (state_->inert()) return out;
  std::size_t bytes = 0;
  try {
    while (state_->copy_some(after, count_max, bytes_max, &bytes, &out)) after = out.back().sequence;
  } catch (const std::bad_alloc&) {  // fewer this time; the rest stays pending
  }
  return out;
}

std::size_t Writer::pending_count() const noexcept {
  if (state_->inert()) return 0;
  const std::lock_guard lock(state_->mutex);
  return state_->index.pending_count();
}

std::size_t Writer::live_count() const noexcept {
  if (state_->inert()) return 0;
  const std::lock_guard lock(state_->mutex);
  return state_->index.live_count();
}

std::uint64_t Writer::dropped() const noexcept {
  if (state_->inert()) return 0;
  const std::lock_guard lock(state_->mutex);
  return state_->dropped;
}

bool Writer::durable() const noexcept { return state_->durable && !state_->inert(); }

std::string Writer::path() const { return durable() ? state_->storage.path() : std::string(); }

bool Writer::pending_since(Sequence upto) const noexcept {
  if (state_->inert()) return false;
  const std::lock_guard lock(state_->mutex);
  return state_->index.pending_since(upto);
}

void Writer::remove_if_empty() noexcept {
  if (state_->inert()) return;
  const std::lock_guard lock(state_->mutex);
  if (state_->index.live_count() == 0 && state_->durable.exchange(false)) ::unlink(state_->storage.path().c_str());
}

void Writer::remove_file() noexcept {
  if (state_->inert() || !state_->durable.exchange(false)) return;
  ::unlink(state_->storage.path().c_str());
}

}  // namespace kleptometrics::journal
