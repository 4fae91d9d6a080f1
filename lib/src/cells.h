// Where executions of a step are added up: one cell a thread and step, written by that thread alone, read by whoever
// takes a snapshot while the writers go on. No lock, no system call; memory only when a thread first uses a
// step, or a duration falls into a new octave.
//
// A snapshot of a cell in use is valid (its parts fit together) but may lag by the execution being added; once
// the writers are quiet it is exact.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "lib/sketch/sketch.h"

namespace kleptometrics::internal {

struct StepNode;

struct StepCell {
  explicit StepCell(const StepNode& owner, std::uint64_t owner_thread) noexcept : node(owner), thread(owner_thread) {}
  ~StepCell();

  // By the owning thread only.
  void add(std::uint64_t duration_ns, bool has_failed) noexcept;

  const StepNode& node;
  const std::uint64_t thread;
  StepCell* next = nullptr;  // in its node's list; fixed once published

  // Buckets of Sketch::bucket_of, -1 to 4095, in blocks of an octave made when first needed.
  static constexpr int kOctaves = 65;
  using Octave = std::array<std::atomic<std::uint64_t>, Sketch::kBucketsPerOctave>;
  std::atomic<std::uint64_t> failed{0};
  std::atomic<std::uint64_t> total{0};
  std::atomic<std::uint64_t> min{UINT64_MAX};
  std::atomic<std::uint64_t> max{0};
  std::atomic<std::uint64_t> zeros{0};
  std::atomic<std::uint64_t> lost{0};  // no memory for their octave
  std::array<std::atomic<Octave*>, kOctaves> octaves{};
};

// What the cells of a step hold together. Times in nanoseconds.
struct StepTotals {
  std::uint64_t count = 0, failed = 0, total = 0, min = 0, max = 0;
  std::uint64_t lost = 0;  // executions not in `count`, for want of memory
  Sketch sketch;
};

// One step of a run: its path and the cells of all threads. Lives as long as its run's state.
struct StepNode {
  StepNode(const StepNode* parent_node, std::string step_path, const Clock& steady_clock);
  ~StepNode();
  StepNode(const StepNode&) = delete;
  StepNode& operator=(const StepNode&) = delete;

  // The calling thread's cell; null if there is no memory for one.
  StepCell* cell() noexcept;
  StepTotals totals() const;

  const StepNode* const parent;
  const std::string path;
  const Clock& clock;
  const std::uint64_t uid;  // never used again in this process

 private:
  StepCell* make_cell(std::uint64_t thread) noexcept;
  std::atomic<StepCell*> cells_{nullptr};
};

}  // namespace kleptometrics::internal
