// Columns to runs: everything is checked when a chunk is opened, a run is put together when it is asked for.
#include <google/protobuf/arena.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregator/base/absl_view.h"
#include "aggregator/model/utf8.h"
#include "aggregator/wire/chunk.h"
#include "aggregator/wire/chunk_columns.h"
#include "aggregator/wire/run_decoder.h"
#include "kleptometrics/v1/chunk.pb.h"
#include "lib/journal/crc32c.h"

namespace kleptometrics::aggregator::wire {
namespace {

bool read_format_0(const v1::Column& column, std::size_t count, Numbers& numbers) {
  const auto size = static_cast<std::size_t>(column.values_size());
  if (size > 1 && size != count) return false;
  numbers.assign(count, size == 1 ? column.values(0) * column.unit() : 0);
  for (std::size_t i = 0; size > 1 && i < count; ++i) numbers[i] = column.values(static_cast<int>(i)) * column.unit();
  return true;
}

bool read_format_1(const v1::Column& column, std::size_t count, Numbers& numbers) {
  const auto base = static_cast<std::uint64_t>(column.base());
  if (column.packed().empty()) {
    numbers.assign(count, base);
    return true;
  }
  if (!unpack(column.packed(), count, numbers)) return false;
  const std::uint64_t unit = column.unit() == 0 ? 1 : column.unit();
  for (std::uint64_t& number : numbers) number = base + unit * number;
  return true;
}

absl::Status broken(std::string_view what) {
  return absl::DataLossError(absl::StrCat("a chunk of runs is damaged: ", absl_view(what)));
}

}  // namespace

struct ChunkReader::Columns {
  google::protobuf::Arena arena;
  v1::Chunk& chunk = *google::protobuf::Arena::CreateMessage<v1::Chunk>(&arena);
  std::size_t count = 0;
  bool old = false;  // of format 0
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

  // `size`: of the bytes. There are never so many runs and strings to them, whatever is in them.
  bool read_all(std::size_t size) {
    count = chunk.count();
    old = chunk.format() == 0;
    if (chunk.format() > kFormat || count > kPackedBlock * size || chunk.texts_count() > kPackedBlock * size)
      return false;
    return read_strings() && read_columns() && read_starts() && read_ids() && read_counters() && read_rest();
  }
  bool read(const v1::Column& column, std::size_t size, Numbers& numbers) const {
    return old ? read_format_0(column, size, numbers) : read_format_1(column, size, numbers);
  }
  std::int64_t with_sign(std::uint64_t number) const {
    return old ? unzigzag(number) : static_cast<std::int64_t>(number);
  }
  bool read_strings();
  bool read_columns();
  bool read_starts();
  bool read_ids();
  bool read_whole_ids(bool timed);
  bool read_version_7();
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

bool ChunkReader::Columns::read_strings() {
  if (old) return chunk.strings_size() != 0;
  Numbers begins, ends, sizes;
  const std::size_t texts = chunk.texts_count();
  if (chunk.strings_size() != 0 || !read(chunk.texts_begin(), texts, begins) || !read(chunk.texts_end(), texts, ends) ||
      !read(chunk.texts_size(), texts, sizes)) {
    return false;
  }
  std::string_view between = chunk.texts();
  const std::string* before = chunk.add_strings();
  for (std::size_t i = 0; i < texts; ++i) {
    const bool fits = begins[i] <= kSharedMax && ends[i] <= kSharedMax && begins[i] + ends[i] <= before->size();
    if (!fits || sizes[i] > between.size()) return false;
    std::string& text = *chunk.add_strings();
    text.append(*before, 0, begins[i]).append(between.substr(0, sizes[i])).append(*before, before->size() - ends[i]);
    if (!valid_utf8(text)) return false;
    between.remove_prefix(sizes[i]);
    before = &text;
  }
  return between.empty();
}

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
  if (!old) std::partial_sum(job.begin(), job.end(), job.begin());
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
  if (old || !timed ? !read_whole_ids(timed) : !read_version_7()) return false;
  if (chunk.gone_ids().size() % kIdBytes != 0) return false;
  for (std::size_t at = 0; at < chunk.gone_ids().size(); at += kIdBytes) {
    gone.push_back(*Uuid::from_bytes(std::string_view(chunk.gone_ids()).substr(at, kIdBytes)));
  }
  return true;
}

// `timed`: but for their time.
bool ChunkReader::Columns::read_whole_ids(bool timed) {
  const std::size_t kept = timed ? kIdBytes - kTimeBytes : kIdBytes;
  Numbers millis;
  if (chunk.ids().size() != count * kept || !read(chunk.id_ms(), count, millis)) return false;
  ids.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::memcpy(ids[i].bytes.data() + (kIdBytes - kept), chunk.ids().data() + i * kept, kept);
    if (!timed) continue;
    const auto time = static_cast<std::uint64_t>(plus(millis_of(started_at[i]), with_sign(millis[i])));
    for (std::size_t byte = 0; byte < kTimeBytes; ++byte) {
      ids[i].bytes[byte] = static_cast<std::uint8_t>(time >> (8 * (kTimeBytes - 1 - byte)));
    }
  }
  return true;
}

bool ChunkReader::Columns::read_version_7() {
  Numbers millis, a, b;
  if (!read(chunk.id_ms(), count, millis) || !read(chunk.id_a(), count, a) || !read(chunk.id_b(), count, b))
    return false;
  ids.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (a[i] >> kIdBitsA != 0 || b[i] >> kIdBitsB != 0) return false;
    ids[i] =
        id_of_version_7(static_cast<std::uint64_t>(plus(millis_of(started_at[i]), with_sign(millis[i]))), a[i], b[i]);
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
  if (!columns->read_all(bytes.size())) return broken("its columns do not fit together");
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
    run.finished_at = plus(plus(run.started_at, run.duration.value_or(0)), in.with_sign(in.finished_at[at]));
  if ((flags & kScheduled) != 0) run.scheduled_at = minus(run.started_at, in.with_sign(in.scheduled_at[at]));
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

}  // namespace kleptometrics::aggregator::wire
