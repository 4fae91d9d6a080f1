// What a settling is to write, worked out beforehand of runs that nobody changes any more and of the rollups as they
// are: on a thread of its own, while commits go on. settler.h writes it. Nothing here writes.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "aggregator/store/sqlite/connection.h"
#include "aggregator/store/sqlite/extent.h"
#include "aggregator/store/sqlite/rollup_rows.h"
#include "aggregator/store/sqlite/tail.h"
#include "aggregator/wire/chunk.h"

namespace kleptometrics::aggregator::sqlite {

struct Slice {
  std::int64_t job = 0;
  Extent extent;
};

struct NewChunk {
  Extent extent;
  std::string bytes;
  std::vector<Slice> slices;
  std::vector<wire::Chunked> bad;
};

// An id and where it is to lie: a slot, counted from the first of the new chunks.
struct NewId {
  std::int64_t key = 0;
  std::int64_t slot = 0;
};

// Points into the tail that it was made of, which must live as long and not change.
struct Settlement {
  std::vector<const Recent*> open;
  std::vector<const Recent*> closed;  // ended, and in open_runs until now
  std::vector<NewChunk> chunks;
  std::vector<NewId> ids;  // by key
  std::vector<RollupRow> rollups;
  std::vector<std::string> new_series;  // SeriesKeys::new_series
};

// The jobs of a tail, with their keys, by name.
struct JobOfTail {
  std::string_view name;
  std::int64_t key = 0;
  const Tail::OfJob* runs = nullptr;
};

// Errors are those of reading rollups: DataLoss where one is damaged.
absl::StatusOr<Settlement> work_out(const std::vector<JobOfTail>& jobs, Connection& reader);

}  // namespace kleptometrics::aggregator::sqlite
