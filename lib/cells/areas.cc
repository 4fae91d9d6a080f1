#include "lib/cells/areas.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace kleptometrics::cells {
namespace {

constexpr std::size_t kHeadBytes = 32;
constexpr std::size_t kTableAt = 4;
constexpr std::size_t kCellAt = 8;
constexpr std::size_t kRunAt = 16;

void add_execution(const Sealed& execution, bool to_sketch, StepTotals* out) {
  out->failed += execution.first ? 1 : 0;
  out->total += execution.value;
  out->min = out->count == 0 || execution.value < out->min ? execution.value : out->min;
  out->max = execution.value > out->max ? execution.value : out->max;
  ++out->count;
  if (!to_sketch) return;
  if (execution.value == 0) {
    out->sketch.add_zero(1);
  } else {
    out->sketch.add(execution.value);
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

std::optional<StepTotals> read_cell(const StepArea& area, const Buckets& buckets, bool writer_is_gone,
                                    std::uint64_t lost) {
  const auto sums = area.folded.read();
  if (!sums) return std::nullopt;
  const std::uint64_t folded = sums->version * StepArea::kRecent;
  if (folded / StepArea::kRecent != sums->version) return std::nullopt;
  StepTotals out;
  const auto hits = buckets.read(&out.sketch);
  if (!hits) return std::nullopt;
  const std::uint64_t in_buckets = *hits + lost;
  out.count = folded - std::min(folded, lost);
  out.lost = lost;
  out.failed = sums->words[StepArea::kFailed];
  out.total = sums->words[StepArea::kTotal];
  out.min = sums->words[StepArea::kMin];
  out.max = sums->words[StepArea::kMax];
  std::uint64_t count = folded;
  for (const auto& recent : area.recent) {
    const std::uint64_t word = recent.load(std::memory_order_acquire);
    if (word == 0) break;  // the first round has not come so far
    const auto execution = Sealed::open(word);
    if (!execution) return std::nullopt;
    if (execution->second != (sums->version % 2 != 0)) break;  // of the round before
    add_execution(*execution, count >= in_buckets, &out);
    ++count;
  }
  const bool folding = writer_is_gone && area.folding.load() != 0;
  if (in_buckets < folded || in_buckets > (folding ? count : folded)) return std::nullopt;
  if (writer_is_gone) return out;
  // Nothing was folded meanwhile, and so none of the recent ones made room for another. All that was read before was
  // read in this order (acquire).
  const bool still = area.folding.load(std::memory_order_relaxed) == 0 && area.folded.version() == sums->version;
  return still ? std::optional(std::move(out)) : std::nullopt;
}

}  // namespace kleptometrics::cells
