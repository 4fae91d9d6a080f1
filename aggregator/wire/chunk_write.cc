// Runs to columns. A column is made from one number a run: less the least of them, divided by what all share, and
// packed; nothing where all are 0. What few runs have goes as messages beside.
#include <google/protobuf/arena.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>
#include <utility>

#include "aggregator/wire/chunk.h"
#include "aggregator/wire/chunk_columns.h"
#include "aggregator/wire/run_encoder.h"
#include "kleptometrics/v1/chunk.pb.h"
#include "lib/journal/crc32c.h"

namespace kleptometrics::aggregator::wire {
namespace {

constexpr double kWholeEnd = 0x1p53;  // below, every whole double is an exact integer

std::int64_t seconds_up(Nanos at) { return at / kNanosPerSecond + (at % kNanosPerSecond > 0 ? 1 : 0); }

// What the numbers are made of: multiples of `unit` (0: none, they are equal) above `base`.
struct Grid {
  std::int64_t base = 0;
  std::uint64_t unit = 0;
};

Grid grid_of(const Numbers& numbers) {
  Grid grid;
  if (numbers.empty()) return grid;
  const auto less = [](std::uint64_t a, std::uint64_t b) {
    return static_cast<std::int64_t>(a) < static_cast<std::int64_t>(b);
  };
  const std::uint64_t least = *std::ranges::min_element(numbers, less);
  grid.base = static_cast<std::int64_t>(least);
  for (const std::uint64_t number : numbers) {
    const std::uint64_t above = number - least;
    if (grid.unit != 1 && (grid.unit == 0 || above % grid.unit != 0)) grid.unit = std::gcd(grid.unit, above);
  }
  return grid;
}

// Changes the numbers.
v1::Column* write(Numbers& numbers, google::protobuf::Arena* arena) {
  const Grid grid = grid_of(numbers);
  if (grid.unit == 0 && grid.base == 0) return nullptr;
  auto* column = google::protobuf::Arena::CreateMessage<v1::Column>(arena);
  column->set_base(grid.base);
  if (grid.unit == 0) return column;
  for (std::uint64_t& number : numbers) number -= static_cast<std::uint64_t>(grid.base);
  if (grid.unit != 1) {
    column->set_unit(grid.unit);
    for (std::uint64_t& number : numbers) number /= grid.unit;
  }
  pack(numbers, *column->mutable_packed());
  return column;
}

std::uint64_t flags_of(const Chunked& chunked) {
  const Run& run = *chunked.run;
  const Resources& used = run.resources;
  std::uint64_t flags = static_cast<std::uint64_t>(run.state);
  const auto set = [&flags](bool is, Flag flag) { flags |= is ? static_cast<std::uint64_t>(flag) : 0; };
  set(run.verdict, kVerdict);
  set(run.reporter == Reporter::kHttp, kHttp);
  set(chunked.in_hours, kInHours);
  set(run.duration.has_value(), kDuration);
  set(run.finished_at.has_value(), kFinished);
  set(run.scheduled_at.has_value(), kScheduled);
  set(used.cpu_user.has_value(), kCpuUser);
  set(used.cpu_system.has_value(), kCpuSystem);
  set(used.max_rss_bytes.has_value(), kMaxRss);
  set(used.read_bytes.has_value(), kRead);
  set(used.write_bytes.has_value(), kWrite);
  return flags;
}

class ChunkWriter {
 public:
  explicit ChunkWriter(const std::vector<Chunked>& runs)
      : runs_(runs), chunk_(*google::protobuf::Arena::CreateMessage<v1::Chunk>(&arena_)), strings_(texts_) {}

  std::string write_all(const std::vector<Uuid>& gone) {
    chunk_.set_format(kFormat);
    chunk_.set_count(static_cast<std::uint32_t>(runs_.size()));
    write_slots();
    write_texts();
    write_ids();
    write_times();
    write_commits();
    write_numbers();
    write_counters();
    write_rest();
    write_strings();
    for (const Uuid& id : gone) chunk_.mutable_gone_ids()->append(id.view());
    return sealed();
  }

 private:
  template <typename Value>
  void column(void (v1::Chunk::*set)(v1::Column*), Value value) {
    numbers_.clear();
    for (const Chunked& each : runs_) numbers_.push_back(value(each));
    if (v1::Column* made = write(numbers_, &arena_)) (chunk_.*set)(made);
  }
  template <typename Value>
  void run_column(void (v1::Chunk::*set)(v1::Column*), Value value) {
    column(set, [&](const Chunked& each) { return static_cast<std::uint64_t>(value(*each.run)); });
  }
  void text_column(void (v1::Chunk::*set)(v1::Column*), std::string Run::*text) {
    const std::string* before = nullptr;  // mostly neighbours are alike
    std::uint32_t index = 0;
    run_column(set, [&](const Run& run) {
      if (before == nullptr || *before != run.*text) index = strings_.index(run.*text);
      before = &(run.*text);
      return index;
    });
  }
  void used_column(void (v1::Chunk::*set)(v1::Column*), std::optional<std::uint64_t> Resources::*used) {
    run_column(set, [&](const Run& run) { return (run.resources.*used).value_or(0); });
  }

  void write_slots() {
    bool dense = true;
    for (std::size_t i = 0; i < runs_.size(); ++i) dense = dense && runs_[i].slot == i;
    if (dense) return;
    std::uint32_t before = 0;
    column(&v1::Chunk::unsafe_arena_set_allocated_slot,
           [&](const Chunked& each) { return std::uint64_t{each.slot - std::exchange(before, each.slot)}; });
  }

  void write_jobs() {
    const std::string* job = nullptr;
    std::uint64_t index = 0;
    run_column(&v1::Chunk::unsafe_arena_set_allocated_job, [&](const Run& run) {
      if (job != nullptr && *job == run.job) return std::uint64_t{0};
      job = &run.job;
      const std::uint64_t before = std::exchange(index, strings_.index(run.job));
      return index - before;
    });
  }

  void write_texts() {
    write_jobs();
    text_column(&v1::Chunk::unsafe_arena_set_allocated_host, &Run::host);
    text_column(&v1::Chunk::unsafe_arena_set_allocated_program, &Run::program);
    text_column(&v1::Chunk::unsafe_arena_set_allocated_version, &Run::version);
    text_column(&v1::Chunk::unsafe_arena_set_allocated_build_id, &Run::build_id);
    text_column(&v1::Chunk::unsafe_arena_set_allocated_boot_id, &Run::boot_id);
  }

  void write_ids() {
    if (!std::ranges::all_of(runs_, [](const Chunked& each) { return only_version_7(each.run->id); })) {
      for (const Chunked& each : runs_) chunk_.mutable_ids()->append(each.run->id.view());
      return;
    }
    chunk_.set_version_7(true);
    run_column(&v1::Chunk::unsafe_arena_set_allocated_id_ms, [](const Run& run) {
      return static_cast<std::int64_t>(*run.id.version_7_millis()) - millis_of(run.started_at);
    });
    run_column(&v1::Chunk::unsafe_arena_set_allocated_id_a, [](const Run& run) { return id_a_of(run.id); });
    run_column(&v1::Chunk::unsafe_arena_set_allocated_id_b, [](const Run& run) { return id_b_of(run.id); });
  }

  void write_times() {
    Nanos start = runs_.empty() ? 0 : runs_.front().run->started_at;
    for (const Chunked& each : runs_) start = std::min(start, each.run->started_at);
    chunk_.set_start(start);
    const Run* before = nullptr;
    run_column(&v1::Chunk::unsafe_arena_set_allocated_started_at, [&](const Run& run) {
      const bool same = before != nullptr && before->job == run.job;
      const std::int64_t difference = minus(run.started_at, same ? before->started_at : start);
      before = &run;
      return static_cast<std::uint64_t>(difference);
    });
    run_column(&v1::Chunk::unsafe_arena_set_allocated_duration,
               [](const Run& run) { return run.duration.value_or(0); });
    run_column(&v1::Chunk::unsafe_arena_set_allocated_finished_at, [](const Run& run) {
      return run.finished_at ? minus(*run.finished_at, plus(run.started_at, run.duration.value_or(0))) : 0;
    });
    run_column(&v1::Chunk::unsafe_arena_set_allocated_scheduled_at,
               [](const Run& run) { return run.scheduled_at ? minus(run.started_at, *run.scheduled_at) : 0; });
  }

  void write_commits() {
    std::int64_t last = runs_.empty() ? 0 : seconds_up(runs_.front().committed_at);
    for (const Chunked& each : runs_) last = std::max(last, seconds_up(each.committed_at));
    chunk_.set_committed_s(last);
    column(&v1::Chunk::unsafe_arena_set_allocated_committed_before_s,
           [last](const Chunked& each) { return static_cast<std::uint64_t>(last - seconds_up(each.committed_at)); });
  }

  void write_numbers() {
    column(&v1::Chunk::unsafe_arena_set_allocated_flags, flags_of);
    run_column(&v1::Chunk::unsafe_arena_set_allocated_revision, [](const Run& run) { return run.revision; });
    run_column(&v1::Chunk::unsafe_arena_set_allocated_pid, [](const Run& run) { return run.pid; });
    used_column(&v1::Chunk::unsafe_arena_set_allocated_cpu_user, &Resources::cpu_user);
    used_column(&v1::Chunk::unsafe_arena_set_allocated_cpu_system, &Resources::cpu_system);
    used_column(&v1::Chunk::unsafe_arena_set_allocated_max_rss_bytes, &Resources::max_rss_bytes);
    used_column(&v1::Chunk::unsafe_arena_set_allocated_read_bytes, &Resources::read_bytes);
    used_column(&v1::Chunk::unsafe_arena_set_allocated_write_bytes, &Resources::write_bytes);
  }

  void write_counters() {
    std::map<std::string_view, Numbers> names;  // of each, who has it
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      for (const auto& [name, value] : runs_[i].run->counters) {
        Numbers& present = names[name];
        present.resize(runs_.size());
        present[i] = 1;
      }
    }
    for (auto& [name, present] : names) write_counter(name, present);
  }

  void write_counter(std::string_view name, Numbers& present) {
    v1::CounterColumn& out = *chunk_.add_counters();
    out.set_name(strings_.index(name));
    std::vector<double> values;
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      if (present[i] != 0) values.push_back(runs_[i].run->counters.find(name)->second + 0.0);
    }
    out.unsafe_arena_set_allocated_present(write(present, &arena_));
    const bool whole = std::ranges::all_of(
        values, [](double value) { return value >= 0 && value < kWholeEnd && std::floor(value) == value; });
    if (!whole) {
      out.mutable_values()->Add(values.begin(), values.end());
      return;
    }
    Numbers numbers(values.begin(), values.end());
    if (v1::Column* made = write(numbers, &arena_)) out.unsafe_arena_set_allocated_whole(made);
  }

  void write_rest() {
    Numbers at;
    std::size_t before = 0;
    v1::Run scratch;
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      scratch.Clear();
      RunEncoder(strings_, scratch).write_rest(*runs_[i].run);
      if (scratch.ByteSizeLong() == 0) continue;
      *chunk_.add_rest() = scratch;
      at.push_back(i - std::exchange(before, i));
    }
    if (v1::Column* made = write(at, &arena_)) chunk_.unsafe_arena_set_allocated_rest_at(made);
  }

  // Last: the columns of runs and their messages bring the strings.
  void write_strings() {
    Numbers begins, ends, sizes;
    for (int i = 1; i < texts_.size(); ++i) {
      const Shared shared = shared_by(texts_[i - 1], texts_[i], kSharedMax);
      begins.push_back(shared.begin);
      ends.push_back(shared.end);
      sizes.push_back(texts_[i].size() - shared.begin - shared.end);
      chunk_.mutable_texts()->append(texts_[i], shared.begin, sizes.back());
    }
    chunk_.set_texts_count(static_cast<std::uint32_t>(sizes.size()));
    if (v1::Column* made = write(begins, &arena_)) chunk_.unsafe_arena_set_allocated_texts_begin(made);
    if (v1::Column* made = write(ends, &arena_)) chunk_.unsafe_arena_set_allocated_texts_end(made);
    if (v1::Column* made = write(sizes, &arena_)) chunk_.unsafe_arena_set_allocated_texts_size(made);
  }

  std::string sealed() {
    std::string bytes(kChecksumBytes, '\0');
    chunk_.AppendToString(&bytes);
    const std::uint32_t sum = journal::crc32c(0, bytes.data() + kChecksumBytes, bytes.size() - kChecksumBytes);
    std::memcpy(bytes.data(), &sum, kChecksumBytes);
    return bytes;
  }

  const std::vector<Chunked>& runs_;
  google::protobuf::Arena arena_;
  v1::Chunk& chunk_;
  Interner::Strings texts_;
  Interner strings_;
  Numbers numbers_;
};

}  // namespace

std::string encode_chunk(const std::vector<Chunked>& runs, const std::vector<Uuid>& gone) {
  return ChunkWriter(runs).write_all(gone);
}

}  // namespace kleptometrics::aggregator::wire
