// How stores keep runs: many together, by columns, with a checksum. Pure functions of their arguments, and a reader
// that owns what it reads; any thread, one at a time for a reader. What is read here was written here, but disks lie:
// whatever the bytes hold, the answer is a value or an error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "aggregator/model/run.h"

namespace kleptometrics::aggregator::wire {

// A run in a chunk. `slot` is its number there, which it keeps when others leave; slots rise.
struct Chunked {
  const Run* run = nullptr;  // borrowed
  std::uint32_t slot = 0;
  bool in_hours = false;   // counted in a rollup of its hour already
  Nanos committed_at = 0;  // kept to the second, rounded up
};
// Requires slots that rise. Runs by job, and within a job by start, take the least room. `gone`: ids to be known still.
std::string encode_chunk(const std::vector<Chunked>& runs, const std::vector<Uuid>& gone);

class ChunkReader {
 public:
  // DataLoss if the bytes are no chunk, or not as they were written.
  static absl::StatusOr<ChunkReader> open(std::string_view bytes);
  ChunkReader(ChunkReader&&) noexcept;
  ChunkReader& operator=(ChunkReader&&) noexcept;
  ~ChunkReader();

  std::size_t size() const;
  // Of the run at a place from 0 to size() - 1.
  const std::string& job(std::size_t at) const;
  Uuid id(std::size_t at) const;
  Nanos started_at(std::size_t at) const;
  State state(std::size_t at) const;
  std::uint32_t slot(std::size_t at) const;
  bool in_hours(std::size_t at) const;
  Nanos committed_at(std::size_t at) const;
  absl::StatusOr<Run> run(std::size_t at) const;
  std::optional<std::size_t> at_slot(std::uint32_t slot) const;
  const std::vector<Uuid>& gone() const;

 private:
  struct Columns;
  explicit ChunkReader(std::unique_ptr<Columns> columns);
  std::unique_ptr<Columns> columns_;
};

}  // namespace kleptometrics::aggregator::wire
