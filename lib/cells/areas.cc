#include "lib/cells/areas.h"

#include <cstring>
#include <utility>

namespace kleptometrics::cells {
namespace {

constexpr std::size_t kHeadBytes = 32;
constexpr std::size_t kTableAt = 4;
constexpr std::size_t kCellAt = 8;
constexpr std::size_t kRunAt = 16;

void add_sums(const Sealed& execution, StepTotals* out) {
  out->failed += execution.first ? 1 : 0;
  out->total += execution.value;
  out->min = out->count == 0 || execution.value < out->min ? execution.value : out->min;
  out->max = execution.value > out->max ? execution.value : out->max;
  ++out->count;
}

// The recent ones from the `from`th on.
void add_recent(const Instant& instant, std::uint64_t from, Sketch* sketch) {
  for (std::size_t i = from; i < instant.recent_count; ++i) {
    const std::uint64_t duration = instant.recent[i].value;
    if (duration == 0) {
      sketch->add_zero(1);
    } else {
      sketch->add(duration);
    }
  }
}

}  // namespace

std::string AreaName::encode() const {
  std::string out(kHeadBytes, '\0');
  out[0] = static_cast<char>(kind);
  std::memcpy(out.data() + kTableAt, &table, sizeof table);
  std::memcpy(out.data() + kCellAt, &cell, sizeof cell);
  std::memcpy(out.data() + kRunAt, run.bytes.data(), run.bytes.size());
  return out.append(name);
}

std::optional<AreaName> AreaName::parse(std::string_view fixed) noexcept {
  if (fixed.size() < kHeadBytes) return std::nullopt;
  AreaName out;
  out.kind = static_cast<AreaKind>(fixed[0]);
  std::memcpy(&out.table, fixed.data() + kTableAt, sizeof out.table);
  std::memcpy(&out.cell, fixed.data() + kCellAt, sizeof out.cell);
  std::memcpy(out.run.bytes.data(), fixed.data() + kRunAt, out.run.bytes.size());
  out.name = fixed.substr(kHeadBytes);
  return out;
}

std::optional<Instant> read_instant(const StepArea& area) noexcept {
  const auto sums = area.folded.read();
  if (!sums) return std::nullopt;
  const std::uint64_t rounds = sums->version;
  const std::uint64_t lost = sums->words[StepArea::kLost];
  if (rounds * StepArea::kRecent / StepArea::kRecent != rounds || lost > rounds * StepArea::kRecent)
    return std::nullopt;
  Instant out;
  out.folded = rounds * StepArea::kRecent - lost;
  out.totals.count = out.folded;
  out.totals.lost = lost;
  out.totals.failed = sums->words[StepArea::kFailed];
  out.totals.total = sums->words[StepArea::kTotal];
  out.totals.min = sums->words[StepArea::kMin];
  out.totals.max = sums->words[StepArea::kMax];
  for (const auto& recent : area.recent) {
    const std::uint64_t word = recent.load(std::memory_order_acquire);
    if (word == 0) break;  // the first round has not come so far
    const auto execution = Sealed::open(word);
    if (!execution) return std::nullopt;
    if (execution->second != (rounds % 2 != 0)) break;  // of the round before
    out.recent[out.recent_count++] = *execution;
    add_sums(*execution, &out.totals);
  }
  // All of it was read in this order (acquire): then none of the recent ones had made room for another.
  return area.folded.version() == rounds ? std::optional(std::move(out)) : std::nullopt;
}

std::optional<StepTotals> read_remains(const StepArea& area, const Buckets& buckets) {
  auto instant = read_instant(area);
  const auto hits = buckets.read();
  if (!instant || !hits) return std::nullopt;
  const std::uint64_t in_buckets = sum_of(*hits);
  const std::uint64_t most = instant->folded + (area.folding.load() != 0 ? instant->recent_count : 0);
  if (in_buckets < instant->folded || in_buckets > most) return std::nullopt;
  add(*hits, &instant->totals.sketch);
  add_recent(*instant, in_buckets - instant->folded, &instant->totals.sketch);
  return std::move(instant->totals);
}

StepTotals complete(const Instant& instant, std::vector<Buckets::Hits> hits) {
  StepTotals out = instant.totals;
  const std::uint64_t in_buckets = sum_of(hits);
  if (in_buckets > out.count) even_out(hits, in_buckets - out.count, out.min, out.max);
  add(hits, &out.sketch);
  add_recent(instant, in_buckets > instant.folded ? in_buckets - instant.folded : 0, &out.sketch);
  return out;
}

}  // namespace kleptometrics::cells
