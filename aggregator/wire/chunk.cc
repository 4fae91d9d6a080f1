// Runs by columns. A column is made from one number a run: divided by what all of them share, one for all where they
// are equal, none where they are 0. What few runs have goes as messages beside.
#include "aggregator/wire/chunk.h"

#include <google/protobuf/arena.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregator/wire/run_decoder.h"
#include "aggregator/wire/run_encoder.h"
#include "kleptometrics/v1/chunk.pb.h"
#include "lib/journal/crc32c.h"

namespace kleptometrics::aggregator::wire {
namespace {

using Numbers = std::vector<std::uint64_t>;

constexpr std::size_t kChecksumBytes = 4;
constexpr std::size_t kIdBytes = 16;
constexpr std::size_t kTimeBytes = 6;  // of an id of version 7: big-endian milliseconds, RFC 9562 section 5.7
constexpr Nanos kMilli = 1'000'000;
constexpr double kWholeEnd = 0x1p53;  // below, every whole double is an exact integer

// Bits of the flags column. The lowest three hold the state.
enum Flag : std::uint64_t {
  kVerdict = 1U << 3U,
  kHttp = 1U << 4U,
  kInHours = 1U << 5U,
  kDuration = 1U << 6U,
  kFinished = 1U << 7U,
  kScheduled = 1U << 8U,
  kCpuUser = 1U << 9U,
  kCpuSystem = 1U << 10U,
  kMaxRss = 1U << 11U,
  kRead = 1U << 12U,
  kWrite = 1U << 13U,
};
constexpr std::uint64_t kStateMask = 7;

std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1U) ^ static_cast<std::uint64_t>(value >> 63);
}
std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1U) ^ -static_cast<std::int64_t>(value & 1U);
}
// Differences wrap round as unsigned numbers do; so do the sums that undo them.
std::int64_t minus(Nanos a, Nanos b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}
Nanos plus(Nanos a, std::int64_t b) {
  return static_cast<Nanos>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

std::int64_t seconds_up(Nanos at) { return at / kNanosPerSecond + (at % kNanosPerSecond > 0 ? 1 : 0); }

Nanos millis_of(Nanos at) { return at / kMilli - (at % kMilli < 0 ? 1 : 0); }
bool is_version_7(const Uuid& id) { return id.bytes[6] >> 4U == 7; }
std::int64_t id_millis(const Uuid& id) {
  std::int64_t millis = 0;
  for (std::size_t i = 0; i < kTimeBytes; ++i) millis = millis << 8 | id.bytes[i];
  return millis;
}

v1::Column* write(const Numbers& numbers, google::protobuf::Arena* arena) {
  std::uint64_t unit = 0;
  bool equal = true;
  for (const std::uint64_t number : numbers) {
    equal = equal && number == numbers.front();
    if (unit != 1 && (unit == 0 || number % unit != 0)) unit = std::gcd(unit, number);
  }
  if (unit == 0) return nullptr;
  auto* column = google::protobuf::Arena::CreateMessage<v1::Column>(arena);
  column->set_unit(unit);
  if (equal) {
    column->add_values(numbers.front() / unit);
    return column;
  }
  column->mutable_values()->Reserve(static_cast<int>(numbers.size()));
  for (const std::uint64_t number : numbers) column->mutable_values()->AddAlreadyReserved(number / unit);
  return column;
}

bool read(const v1::Column& column, std::size_t count, Numbers& numbers) {
  const auto size = static_cast<std::size_t>(column.values_size());
  if (size == 0) {
    numbers.assign(count, 0);
  } else if (size == 1) {
    numbers.assign(count, column.values(0) * column.unit());
  } else if (size != count) {
    return false;
  } else {
    numbers.resize(count);
    for (std::size_t i = 0; i < count; ++i) numbers[i] = column.values(static_cast<int>(i)) * column.unit();
  }
  return true;
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
      : runs_(runs),
        chunk_(*google::protobuf::Arena::CreateMessage<v1::Chunk>(&arena_)),
        strings_(*chunk_.mutable_strings()) {}

  std::string write_all(const std::vector<Uuid>& gone) {
    chunk_.set_count(static_cast<std::uint32_t>(runs_.size()));
    write_slots();
    write_texts();
    write_ids();
    write_times();
    write_commits();
    write_numbers();
    write_counters();
    write_rest();
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

  void write_texts() {
    text_column(&v1::Chunk::unsafe_arena_set_allocated_job, &Run::job);
    text_column(&v1::Chunk::unsafe_arena_set_allocated_host, &Run::host);
    text_column(&v1::Chunk::unsafe_arena_set_allocated_program, &Run::program);
    text_column(&v1::Chunk::unsafe_arena_set_allocated_version, &Run::version);
    text_column(&v1::Chunk::unsafe_arena_set_allocated_build_id, &Run::build_id);
    text_column(&v1::Chunk::unsafe_arena_set_allocated_boot_id, &Run::boot_id);
  }

  void write_ids() {
    const bool timed = std::ranges::all_of(runs_, [](const Chunked& each) { return is_version_7(each.run->id); });
    chunk_.set_version_7(timed);
    for (const Chunked& each : runs_) chunk_.mutable_ids()->append(each.run->id.view().substr(timed ? kTimeBytes : 0));
    if (!timed) return;
    run_column(&v1::Chunk::unsafe_arena_set_allocated_id_ms,
               [](const Run& run) { return zigzag(id_millis(run.id) - millis_of(run.started_at)); });
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
      if (!run.finished_at) return std::uint64_t{0};
      return zigzag(minus(*run.finished_at, plus(run.started_at, run.duration.value_or(0))));
    });
    run_column(&v1::Chunk::unsafe_arena_set_allocated_scheduled_at,
               [](const Run& run) { return run.scheduled_at ? zigzag(minus(run.started_at, *run.scheduled_at)) : 0; });
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
    for (const auto& [name, present] : names) write_counter(name, present);
  }

  void write_counter(std::string_view name, const Numbers& present) {
    v1::CounterColumn& out = *chunk_.add_counters();
    out.set_name(strings_.index(name));
    out.unsafe_arena_set_allocated_present(write(present, &arena_));
    std::vector<double> values;
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      if (present[i] != 0) values.push_back(runs_[i].run->counters.find(name)->second + 0.0);
    }
    const bool whole = std::ranges::all_of(
        values, [](double value) { return value >= 0 && value < kWholeEnd && std::floor(value) == value; });
    if (!whole) {
      out.mutable_values()->Add(values.begin(), values.end());
      return;
    }
    const Numbers numbers(values.begin(), values.end());
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
  Interner strings_;
  Numbers numbers_;
};

absl::Status broken(std::string_view what) {
  return absl::DataLossError(absl::StrCat("a chunk of runs is damaged: ", absl::string_view(what.data(), what.size())));
}

}  // namespace

std::string encode_chunk(const std::vector<Chunked>& runs, const std::vector<Uuid>& gone) {
  return ChunkWriter(runs).write_all(gone);
}

struct ChunkReader::Columns {
  google::protobuf::Arena arena;
  v1::Chunk& chunk = *google::protobuf::Arena::CreateMessage<v1::Chunk>(&arena);
  std::size_t count = 0;
  Numbers slot, committed, job, flags, revision, duration, finished_at, scheduled_at, host, pid, program, version,
      build_id, boot_id, cpu_user, cpu_system, max_rss_bytes, read_bytes, write_bytes;
  std::vector<Nanos> started_at;
  std::vector<Uuid> ids, gone;
  struct Counter {
    const std::string* name;
    std::vector<std::optional<double>> values;
  };
  std::vector<Counter> counters;
  std::map<std::size_t, const v1::Run*> rest;

  bool read_all() {
    count = chunk.count();
    return read_columns() && read_starts() && read_ids() && read_counters() && read_rest();
  }
  bool read_columns();
  bool read_starts();
  bool read_ids();
  bool read_counters();
  bool read_rest();
  const std::string& text(std::uint64_t index) const { return chunk.strings(static_cast<int>(index)); }
  bool are_texts(const Numbers& indices) const {
    const auto size = static_cast<std::uint64_t>(chunk.strings_size());
    return std::ranges::all_of(indices, [size](std::uint64_t index) { return index < size; });
  }
  template <typename T>
  std::optional<T> if_set(std::size_t at, Flag flag, std::uint64_t value) const {
    if ((flags[at] & flag) == 0) return std::nullopt;
    return static_cast<T>(value);
  }
};

bool ChunkReader::Columns::read_columns() {
  const std::pair<const v1::Column&, Numbers*> all[] = {
      {chunk.slot(), &slot},
      {chunk.committed_before_s(), &committed},
      {chunk.job(), &job},
      {chunk.flags(), &flags},
      {chunk.revision(), &revision},
      {chunk.duration(), &duration},
      {chunk.finished_at(), &finished_at},
      {chunk.scheduled_at(), &scheduled_at},
      {chunk.host(), &host},
      {chunk.pid(), &pid},
      {chunk.program(), &program},
      {chunk.version(), &version},
      {chunk.build_id(), &build_id},
      {chunk.boot_id(), &boot_id},
      {chunk.cpu_user(), &cpu_user},
      {chunk.cpu_system(), &cpu_system},
      {chunk.max_rss_bytes(), &max_rss_bytes},
      {chunk.read_bytes(), &read_bytes},
      {chunk.write_bytes(), &write_bytes},
  };
  for (const auto& [column, numbers] : all) {
    if (!read(column, count, *numbers)) return false;
  }
  for (const Numbers* texts : {&job, &host, &program, &version, &build_id, &boot_id}) {
    if (!are_texts(*texts)) return false;
  }
  if (chunk.has_slot()) {
    std::partial_sum(slot.begin(), slot.end(), slot.begin());
  } else {
    std::iota(slot.begin(), slot.end(), 0);
  }
  return std::ranges::all_of(flags, [](std::uint64_t each) {
    const std::uint64_t state = each & kStateMask;
    return state >= static_cast<std::uint64_t>(State::kRunning) && state <= static_cast<std::uint64_t>(State::kCrashed);
  });
}

bool ChunkReader::Columns::read_starts() {
  Numbers differences;
  if (!read(chunk.started_at(), count, differences)) return false;
  started_at.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const bool same = i != 0 && job[i] == job[i - 1];
    started_at[i] = plus(same ? started_at[i - 1] : chunk.start(), static_cast<std::int64_t>(differences[i]));
  }
  return true;
}

bool ChunkReader::Columns::read_ids() {
  const bool timed = chunk.version_7();
  const std::size_t kept = timed ? kIdBytes - kTimeBytes : kIdBytes;
  Numbers millis;
  if (chunk.ids().size() != count * kept || !read(chunk.id_ms(), count, millis)) return false;
  ids.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::memcpy(ids[i].bytes.data() + (kIdBytes - kept), chunk.ids().data() + i * kept, kept);
    if (!timed) continue;
    const auto time = static_cast<std::uint64_t>(millis_of(started_at[i]) + unzigzag(millis[i]));
    for (std::size_t byte = 0; byte < kTimeBytes; ++byte) {
      ids[i].bytes[byte] = static_cast<std::uint8_t>(time >> (8 * (kTimeBytes - 1 - byte)));
    }
  }
  if (chunk.gone_ids().size() % kIdBytes != 0) return false;
  for (std::size_t at = 0; at < chunk.gone_ids().size(); at += kIdBytes) {
    gone.push_back(*Uuid::from_bytes(std::string_view(chunk.gone_ids()).substr(at, kIdBytes)));
  }
  return true;
}

bool ChunkReader::Columns::read_counters() {
  for (const v1::CounterColumn& column : chunk.counters()) {
    Numbers present;
    if (!are_texts({column.name()}) || !read(column.present(), count, present)) return false;
    const auto having = static_cast<std::size_t>(std::ranges::count(present, 1U));
    const bool whole = column.values_size() == 0;
    Numbers numbers;
    if (whole ? !read(column.whole(), having, numbers) : static_cast<std::size_t>(column.values_size()) != having) {
      return false;
    }
    Counter& counter = counters.emplace_back(Counter{&text(column.name()), {}});
    counter.values.resize(count);
    std::size_t next = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (present[i] != 1) continue;
      counter.values[i] = whole ? static_cast<double>(numbers[next]) : column.values(static_cast<int>(next));
      ++next;
    }
  }
  return true;
}

bool ChunkReader::Columns::read_rest() {
  Numbers at;
  if (!read(chunk.rest_at(), static_cast<std::size_t>(chunk.rest_size()), at)) return false;
  std::size_t place = 0;
  for (std::size_t i = 0; i < at.size(); ++i) {
    place += at[i];
    if (place >= count || !rest.emplace(place, &chunk.rest(static_cast<int>(i))).second) return false;
  }
  return true;
}

absl::StatusOr<ChunkReader> ChunkReader::open(std::string_view bytes) {
  if (bytes.size() < kChecksumBytes) return broken("it is too short");
  std::uint32_t sum = 0;
  std::memcpy(&sum, bytes.data(), kChecksumBytes);
  bytes.remove_prefix(kChecksumBytes);
  if (sum != journal::crc32c(0, bytes.data(), bytes.size())) return broken("its checksum is another");
  auto columns = std::make_unique<Columns>();
  if (!columns->chunk.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return broken("it is no message");
  if (columns->chunk.strings_size() == 0 || !columns->read_all()) return broken("its columns do not fit together");
  return ChunkReader(std::move(columns));
}

ChunkReader::ChunkReader(std::unique_ptr<Columns> columns) : columns_(std::move(columns)) {}
ChunkReader::ChunkReader(ChunkReader&&) noexcept = default;
ChunkReader& ChunkReader::operator=(ChunkReader&&) noexcept = default;
ChunkReader::~ChunkReader() = default;

std::size_t ChunkReader::size() const { return columns_->count; }
const std::string& ChunkReader::job(std::size_t at) const { return columns_->text(columns_->job[at]); }
Uuid ChunkReader::id(std::size_t at) const { return columns_->ids[at]; }
Nanos ChunkReader::started_at(std::size_t at) const { return columns_->started_at[at]; }
State ChunkReader::state(std::size_t at) const { return static_cast<State>(columns_->flags[at] & kStateMask); }
std::uint32_t ChunkReader::slot(std::size_t at) const { return static_cast<std::uint32_t>(columns_->slot[at]); }
bool ChunkReader::in_hours(std::size_t at) const { return (columns_->flags[at] & kInHours) != 0; }
Nanos ChunkReader::committed_at(std::size_t at) const {
  return (columns_->chunk.committed_s() - static_cast<std::int64_t>(columns_->committed[at])) * kNanosPerSecond;
}
const std::vector<Uuid>& ChunkReader::gone() const { return columns_->gone; }

std::optional<std::size_t> ChunkReader::at_slot(std::uint32_t slot) const {
  const auto found = std::ranges::lower_bound(columns_->slot, slot);
  if (found == columns_->slot.end() || *found != slot) return std::nullopt;
  return static_cast<std::size_t>(found - columns_->slot.begin());
}

absl::StatusOr<Run> ChunkReader::run(std::size_t at) const {
  const Columns& in = *columns_;
  Run run;
  if (const auto rest = in.rest.find(at); rest != in.rest.end()) {
    auto read = decode_rest(in.chunk.strings(), *rest->second);
    if (!read) return broken("a run in it is damaged");
    run = *std::move(read);
  } else {
    run.attempt = 1;
  }
  const std::uint64_t flags = in.flags[at];
  run.id = in.ids[at];
  run.job = in.text(in.job[at]);
  run.state = state(at);
  run.revision = in.revision[at];
  run.verdict = (flags & kVerdict) != 0;
  run.reporter = (flags & kHttp) != 0 ? Reporter::kHttp : Reporter::kLibrary;
  run.started_at = in.started_at[at];
  run.duration = in.if_set<Nanos>(at, kDuration, in.duration[at]);
  if ((flags & kFinished) != 0)
    run.finished_at = plus(plus(run.started_at, run.duration.value_or(0)), unzigzag(in.finished_at[at]));
  if ((flags & kScheduled) != 0) run.scheduled_at = minus(run.started_at, unzigzag(in.scheduled_at[at]));
  run.host = in.text(in.host[at]);
  run.pid = static_cast<std::uint32_t>(in.pid[at]);
  run.program = in.text(in.program[at]);
  run.version = in.text(in.version[at]);
  run.build_id = in.text(in.build_id[at]);
  run.boot_id = in.text(in.boot_id[at]);
  run.resources.cpu_user = in.if_set<std::uint64_t>(at, kCpuUser, in.cpu_user[at]);
  run.resources.cpu_system = in.if_set<std::uint64_t>(at, kCpuSystem, in.cpu_system[at]);
  run.resources.max_rss_bytes = in.if_set<std::uint64_t>(at, kMaxRss, in.max_rss_bytes[at]);
  run.resources.read_bytes = in.if_set<std::uint64_t>(at, kRead, in.read_bytes[at]);
  run.resources.write_bytes = in.if_set<std::uint64_t>(at, kWrite, in.write_bytes[at]);
  for (const Columns::Counter& counter : in.counters) {
    if (counter.values[at]) run.counters.emplace(*counter.name, *counter.values[at]);
  }
  return run;
}

std::string encode_job_spec(const JobSpec& spec) {
  v1::JobSpec out;
  out.set_description(spec.description);
  for (const std::string& tag : spec.tags) out.add_tags(tag);
  out.set_retention_days(spec.retention_days);
  return out.SerializeAsString();
}

absl::StatusOr<JobSpec> decode_job_spec(std::string_view bytes) {
  v1::JobSpec in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::DataLossError("what a job is meant to be is damaged");
  }
  return JobSpec{in.description(), {in.tags().begin(), in.tags().end()}, in.retention_days()};
}

}  // namespace kleptometrics::aggregator::wire
