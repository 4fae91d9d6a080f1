#include "aggregator/store/sqlite/settlement.h"

#include <algorithm>

#include "aggregator/store/sqlite/keys.h"
#include "aggregator/store/sqlite/page_fit.h"
#include "aggregator/store/sqlite/rollup_rows.h"

namespace kleptometrics::aggregator::sqlite {
namespace {

// A batch of so many runs of one hour is worth a rollup of that hour; fewer are added up from the runs themselves.
constexpr std::size_t kHourWorth = 32;

// A run that has ended, with the key of its job and whether it is counted in its hour.
struct Ended {
  std::int64_t job = 0;
  const Recent* recent = nullptr;
  bool in_hours = false;
};

// By job and start: those that came with so many others of their hour that it gets a rollup.
void mark_hours(std::vector<Ended>& all) {
  for (std::size_t first = 0, end = 0; first < all.size(); first = end) {
    const Nanos hour = start_of(all[first].recent->run.started_at, stats::Resolution::kHour);
    while (end < all.size() && all[end].job == all[first].job && all[end].recent->run.started_at - hour < stats::kHour)
      ++end;
    for (std::size_t i = first; end - first >= kHourWorth && i < end; ++i) all[i].in_hours = true;
  }
}

// By job, then by start, then by id.
std::vector<Ended> sort_out(const std::vector<JobOfTail>& jobs, Settlement& settlement) {
  std::vector<Ended> ended;
  for (const JobOfTail& job : jobs) {
    for (const auto& [position, recent] : *job.runs) {
      if (!terminal(recent->run.state)) {
        settlement.open.push_back(recent.get());
        continue;
      }
      ended.push_back({job.key, recent.get()});
      if (recent->open_key != 0) settlement.closed.push_back(recent.get());
    }
  }
  mark_hours(ended);
  return ended;
}

absl::Status add_up(const std::vector<Ended>& all, Connection& reader, Settlement& settlement) {
  SeriesKeys series(reader);
  RollupSums sums([&series](const std::string& name) { return series.key_of(name); });
  std::int64_t job = 0;
  for (const Ended& each : all) {
    if (each.job != job) {
      if (absl::Status status = sqlite::work_out(reader, sums, settlement.rollups); !status.ok()) return status;
      job = each.job;
    }
    if (absl::Status status = sums.add(job, each.recent->run, each.in_hours); !status.ok()) return status;
  }
  const absl::Status status = sqlite::work_out(reader, sums, settlement.rollups);
  settlement.new_series = series.new_series();
  return status;
}

NewChunk chunk_of(const std::vector<Ended>& all, std::size_t first, std::size_t end) {
  NewChunk chunk;
  std::vector<wire::Chunked> runs;
  for (std::size_t i = first; i < end; ++i) {
    const Ended& each = all[i];
    const auto slot = static_cast<std::uint32_t>(i - first);
    runs.push_back({&each.recent->run, slot, each.in_hours, each.recent->committed_at});
    if (chunk.slices.empty() || chunk.slices.back().job != each.job) chunk.slices.push_back({each.job, {}});
    chunk.slices.back().extent.add(runs.back());
    chunk.extent.add(runs.back());
    if (bad(each.recent->run)) chunk.bad.push_back(runs.back());
  }
  chunk.bytes = wire::encode_chunk(runs, {});
  return chunk;
}

// Chunks of as many runs as fit well by the size of the one before, and where each id lies in them.
void cut(const std::vector<Ended>& all, Settlement& settlement) {
  settlement.ids.reserve(all.size());
  std::size_t size = kSlotsMax;
  for (std::size_t first = 0, end = 0; first < all.size(); first = end) {
    end = std::min(first + size, all.size());
    const std::int64_t slots = Place::in_chunk(static_cast<std::int64_t>(settlement.chunks.size()), 0).number;
    for (std::size_t i = first; i < end; ++i)
      settlement.ids.push_back({key_of(all[i].recent->run.id), slots + static_cast<std::int64_t>(i - first)});
    settlement.chunks.push_back(chunk_of(all, first, end));
    size = runs_that_fit(static_cast<double>(settlement.chunks.back().bytes.size()) / static_cast<double>(end - first));
  }
  std::ranges::sort(settlement.ids, {}, [](const NewId& id) { return std::pair(id.key, id.slot); });
}

}  // namespace

absl::StatusOr<Settlement> work_out(const std::vector<JobOfTail>& jobs, Connection& reader) {
  Settlement settlement;
  const std::vector<Ended> ended = sort_out(jobs, settlement);
  if (absl::Status status = add_up(ended, reader, settlement); !status.ok()) return status;
  cut(ended, settlement);
  return settlement;
}

}  // namespace kleptometrics::aggregator::sqlite
