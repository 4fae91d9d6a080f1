// The way in: bytes from strangers to runs. Every index, length and enumerator is checked before it is used,
// and a text is measured before it is copied.
#include <google/protobuf/arena.h>
#include <google/protobuf/io/coded_stream.h>
#if GOOGLE_PROTOBUF_VERSION < 3022000
#include <google/protobuf/stubs/logging.h>
#endif

#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "aggregator/base/absl_view.h"
#include "aggregator/model/utf8.h"
#include "aggregator/wire/run_decoder.h"
#include "aggregator/wire/wire.h"
#include "kleptometrics/v1/run.pb.h"
#include "lib/base/limits.h"

namespace kleptometrics::aggregator::wire {
namespace {

constexpr std::size_t kNodeBytes = 128;     // what a label, counter or step costs beside its texts, about
constexpr std::size_t kReferenceBytes = 8;  // the most that an interned string costs beside its bytes

static_assert(static_cast<int>(State::kRunning) == v1::STATE_RUNNING &&
              static_cast<int>(State::kCrashed) == v1::STATE_CRASHED);
static_assert(static_cast<int>(FailureKind::kReported) == v1::FAILURE_KIND_REPORTED &&
              static_cast<int>(FailureKind::kLost) == v1::FAILURE_KIND_LOST);
static_assert(static_cast<int>(Reporter::kLibrary) == v1::REPORTER_LIBRARY &&
              static_cast<int>(Reporter::kHttp) == v1::REPORTER_HTTP);

// Whether the limits of a push are asked of a run; what lies in a store was asked before.
enum class Check { kLimits, kFormOnly };

// Reads one run of a request into a run that is new. Each read_… returns false after it has set fault().
class RunReader {
 public:
  RunReader(const google::protobuf::RepeatedPtrField<std::string>& strings, const v1::Run& in, Check check, Run& run)
      : strings_(strings), in_(in), check_(check), run_(run) {}

  bool read() {
    return read_identity() && read_outcome() && read_labels() && read_counters() && read_steps() && read_program() &&
           read_annotations();
  }
  bool read_rest() {
    run_.attempt = in_.attempt() == 0 ? 1 : in_.attempt();
    run_.dropped = in_.dropped();
    return read_parent() && read_ending() && read_labels() && read_steps() && read_annotations();
  }
  // The annotations alone, of a run that may hold nothing else.
  bool read_annotations() {
    const v1::Annotations& in = in_.annotations();
    Annotations& out = run_.annotations;
    out.revision = in.revision();
    out.failure_message = in.failure_message();
    text_bytes_ += in.failure_message().size();
    return read_each_label(in.labels(), out.labels);
  }
  FieldError fault() { return std::move(fault_); }
  // Memory of the run so far, about.
  std::size_t decoded_bytes() const { return sizeof(Run) + text_bytes_ + nodes_ * kNodeBytes; }
  // The canonical bytes of the run are no more than this.
  std::size_t encoded_bytes_bound() const {
    return in_.ByteSizeLong() + text_bytes_ + references_ * kReferenceBytes + 2 * kReferenceBytes;
  }

 private:
  bool fail(std::string field, std::string detail) {
    fault_ = {std::move(field), std::move(detail)};
    return false;
  }

  bool read_text(const char* field, std::uint32_t index, std::size_t bytes_max, std::string& out) {
    if (index == 0) return true;
    if (index >= static_cast<std::uint32_t>(strings_.size())) {
      return fail(field, absl::StrCat(field, " is string ", index, "; the push has ", strings_.size()));
    }
    const std::string& text = strings_.Get(static_cast<int>(index));
    if (check_ == Check::kLimits && text.size() > bytes_max) {
      return fail(field, absl::StrCat(field, " has ", text.size(), " bytes; at most ", bytes_max, " are allowed"));
    }
    text_bytes_ += text.size();
    ++references_;
    out = text;
    return true;
  }

  bool read_many(const char* field, int count, std::size_t count_max) {
    nodes_ += static_cast<std::size_t>(count);
    if (check_ == Check::kFormOnly || static_cast<std::size_t>(count) <= count_max) return true;
    nodes_ = 0;
    return fail(field, absl::StrCat("the run has ", count, " ", field, "; at most ", count_max, " are allowed"));
  }

  bool read_identity() {
    const auto id = Uuid::from_bytes(in_.id());
    if (!id) return fail("id", absl::StrCat("id has ", in_.id().size(), " bytes; a UUID has 16"));
    run_.id = *id;
    if (!read_parent()) return false;
    if (in_.reporter() != v1::REPORTER_LIBRARY && in_.reporter() != v1::REPORTER_HTTP) {
      return fail("reporter", absl::StrCat("reporter is ", static_cast<int>(in_.reporter()), ", which is unknown"));
    }
    run_.reporter = static_cast<Reporter>(in_.reporter());
    run_.revision = in_.revision();
    run_.attempt = in_.attempt() == 0 ? 1 : in_.attempt();
    run_.started_at = in_.started_at_ns();
    if (in_.has_scheduled_at_ns()) run_.scheduled_at = in_.scheduled_at_ns();
    if (in_.has_finished_at_ns()) run_.finished_at = in_.finished_at_ns();
    if (in_.has_duration_ns()) run_.duration = in_.duration_ns();
    return read_text("job", in_.job(), limits::job_name_bytes_max, run_.job);
  }

  bool read_parent() {
    if (in_.parent_id().empty()) return true;
    const auto parent = Uuid::from_bytes(in_.parent_id());
    if (!parent) {
      return fail("parent_id", absl::StrCat("parent_id has ", in_.parent_id().size(), " bytes; a UUID has 16"));
    }
    run_.parent_id = *parent;
    return true;
  }

  bool read_outcome() {
    if (in_.state() < v1::STATE_RUNNING || in_.state() > v1::STATE_CRASHED) {
      return fail("state", absl::StrCat("state is ", static_cast<int>(in_.state()), ", which is unknown"));
    }
    run_.state = static_cast<State>(in_.state());
    run_.verdict = in_.verdict();
    return read_ending();
  }

  bool read_ending() {
    if (in_.has_progress()) run_.progress = in_.progress();
    if (in_.has_exit_code()) run_.exit_code = in_.exit_code();
    if (!in_.has_failure()) return true;
    const v1::Failure& failure = in_.failure();
    if (failure.kind() < v1::FAILURE_KIND_REPORTED || failure.kind() > v1::FAILURE_KIND_LOST) {
      return fail("failure.kind",
                  absl::StrCat("failure.kind is ", static_cast<int>(failure.kind()), ", which is unknown"));
    }
    text_bytes_ += failure.message().size();
    run_.failure = {static_cast<FailureKind>(failure.kind()), failure.message(), failure.signal()};
    return true;
  }

  bool read_labels() { return read_each_label(in_.labels(), run_.labels); }

  bool read_each_label(const google::protobuf::RepeatedPtrField<v1::Label>& labels, Labels& out) {
    if (!read_many("labels", labels.size(), limits::label_count_max)) return false;
    for (const v1::Label& label : labels) {
      std::string key;
      std::string value;
      if (!read_text("labels", label.key(), limits::label_key_bytes_max, key) ||
          !read_text("labels", label.value(), limits::label_value_bytes_max, value)) {
        return false;
      }
      const auto [known, added] = out.try_emplace(std::move(key), std::move(value));
      if (!added) return fail("labels", absl::StrCat("the run has two labels named ", quoted(known->first)));
    }
    return true;
  }

  bool read_counters() {
    if (!read_many("counters", in_.counters_size(), limits::counter_count_max)) return false;
    for (const v1::Counter& counter : in_.counters()) {
      std::string name;
      if (!read_text("counters", counter.name(), limits::counter_name_bytes_max, name)) return false;
      const auto [known, added] = run_.counters.try_emplace(std::move(name), counter.value());
      if (!added) return fail("counters", absl::StrCat("the run has two counters named ", quoted(known->first)));
    }
    return true;
  }

  bool read_steps() {
    if (!read_many("steps", in_.steps_size(), limits::step_count_max)) return false;
    run_.steps.reserve(static_cast<std::size_t>(in_.steps_size()));
    for (const v1::Step& in : in_.steps()) {
      Step& step = run_.steps.emplace_back();
      if (!read_text("steps", in.name(), limits::step_path_bytes_max, step.name)) return false;
      step.count = in.count();
      step.failed = in.failed();
      step.total = in.total_ns();
      step.min = in.min_ns();
      step.max = in.max_ns();
      if (!in.has_sketch()) continue;
      const v1::Sketch& sketch = in.sketch();
      if (!step.sketch.assign(sketch.scale(), sketch.zero_count(), sketch.offset(),
                              {sketch.counts().begin(), sketch.counts().end()})) {
        return fail(absl::StrCat("steps[", run_.steps.size() - 1, "].sketch"),
                    absl::StrCat("the sketch of step ", quoted(step.name), " is impossible: scale ", sketch.scale(),
                                 ", offset ", sketch.offset(), ", ", sketch.counts_size(), " buckets"));
      }
    }
    return true;
  }

  bool read_program() {
    const v1::Resources& used = in_.resources();
    if (used.has_cpu_user_ns()) run_.resources.cpu_user = used.cpu_user_ns();
    if (used.has_cpu_system_ns()) run_.resources.cpu_system = used.cpu_system_ns();
    if (used.has_max_rss_bytes()) run_.resources.max_rss_bytes = used.max_rss_bytes();
    if (used.has_read_bytes()) run_.resources.read_bytes = used.read_bytes();
    if (used.has_write_bytes()) run_.resources.write_bytes = used.write_bytes();
    run_.pid = in_.pid();
    run_.dropped = in_.dropped();
    return read_text("host", in_.host(), limits::text_bytes_max, run_.host) &&
           read_text("program", in_.program(), limits::text_bytes_max, run_.program) &&
           read_text("version", in_.version(), limits::text_bytes_max, run_.version) &&
           read_text("build_id", in_.build_id(), limits::text_bytes_max, run_.build_id) &&
           read_text("boot_id", in_.boot_id(), limits::text_bytes_max, run_.boot_id);
  }

  const google::protobuf::RepeatedPtrField<std::string>& strings_;
  const v1::Run& in_;
  const Check check_;
  Run& run_;
  FieldError fault_;
  std::size_t text_bytes_ = 0;
  std::size_t references_ = 0;
  std::size_t nodes_ = 0;
};

// Number of runs in the bytes of a PushRequest, without building any: an empty run takes two bytes on the
// wire and some hundred in memory. nullopt if the bytes are no message. Wire types: protobuf's encoding
// guide.
std::optional<std::size_t> count_runs(std::string_view bytes) {
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                            static_cast<int>(bytes.size()));
  std::size_t runs = 0;
  while (const std::uint32_t tag = in.ReadTag()) {
    std::uint64_t skipped = 0;
    std::uint32_t length = 0;
    bool fine = false;
    switch (tag & 7U) {
      case 0:
        fine = in.ReadVarint64(&skipped);
        break;
      case 1:
        fine = in.Skip(8);
        break;
      case 2:
        fine = in.ReadVarint32(&length) && length <= bytes.size() && in.Skip(static_cast<int>(length));
        if (tag >> 3U == v1::PushRequest::kRunsFieldNumber) ++runs;
        break;
      case 5:
        fine = in.Skip(4);
        break;
      default:
        break;  // groups do not exist in proto3
    }
    if (!fine) return std::nullopt;
  }
  return in.ConsumedEntireMessage() ? std::optional(runs) : std::nullopt;
}

// Protobuf writes a line to stderr for every text that is not UTF-8: strangers must not be able to fill a
// log. Newer versions have no such switch; they log through Abseil.
struct Quiet {
#if GOOGLE_PROTOBUF_VERSION < 3022000
  google::protobuf::LogSilencer silencer;
#else
  Quiet() {}  // not trivial, or an object of it would be an unused variable
#endif
};

constexpr std::size_t kResultBytesMax = 64U << 20U;

absl::Status parse(std::string_view bytes, v1::PushRequest& request) {
  if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    return absl::InvalidArgumentError(absl::StrCat("the push has ", bytes.size(), " bytes"));
  }
  const auto runs = count_runs(bytes);
  if (!runs) return absl::InvalidArgumentError("the bytes are no PushRequest message");
  if (*runs > limits::batch_runs_max) {
    return absl::InvalidArgumentError(
        absl::StrCat("the push has ", *runs, " runs; at most ", limits::batch_runs_max, " are allowed"));
  }
  const Quiet quiet;
  if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::InvalidArgumentError("the bytes are no PushRequest message, or a text in it is not UTF-8");
  }
  if (request.strings_size() > 0 && !request.strings(0).empty()) {
    return absl::InvalidArgumentError("strings[0] is not empty");
  }
  return absl::OkStatus();
}

// The one run of `bytes`, of which `read` reads all or a part.
absl::StatusOr<Run> decode_stored(std::string_view bytes, bool (RunReader::*read)()) {
  google::protobuf::Arena arena;
  auto& request = *google::protobuf::Arena::CreateMessage<v1::PushRequest>(&arena);
  if (const absl::Status status = parse(bytes, request); !status.ok()) {
    return absl::DataLossError(absl::StrCat("decode a stored run: ", status.message()));
  }
  if (request.runs_size() != 1) {
    return absl::DataLossError(absl::StrCat("decode a stored run: found ", request.runs_size(), " runs"));
  }
  Run run;
  RunReader reader(request.strings(), request.runs(0), Check::kFormOnly, run);
  if (!(reader.*read)()) return absl::DataLossError(absl::StrCat("decode a stored run: ", reader.fault().detail));
  return run;
}

// Why the run that the reader reads cannot be taken; nullopt if it can.
std::optional<FieldError> read_one(RunReader& reader, const Run& run) {
  if (!reader.read()) return reader.fault();
  if (auto fault = validate(run)) return fault;
  if (reader.encoded_bytes_bound() <= limits::run_bytes_max) return std::nullopt;
  const std::size_t size = encode_snapshot(run).size();
  if (size <= limits::run_bytes_max) return std::nullopt;
  return FieldError{"", absl::StrCat("the run has ", size, " bytes; at most ", limits::run_bytes_max, " are allowed")};
}

}  // namespace

std::optional<Run> decode_rest(const google::protobuf::RepeatedPtrField<std::string>& strings, const v1::Run& in) {
  std::optional<Run> run(std::in_place);
  RunReader reader(strings, in, Check::kFormOnly, *run);
  if (!reader.read_rest()) return std::nullopt;
  return run;
}

absl::StatusOr<Run> decode_run(std::string_view bytes) { return decode_stored(bytes, &RunReader::read); }

absl::StatusOr<Annotations> decode_annotations(std::string_view bytes) {
  if (bytes.empty()) return Annotations();
  absl::StatusOr<Run> run = decode_stored(bytes, &RunReader::read_annotations);
  if (!run.ok()) return run.status();
  return std::move(run->annotations);
}

absl::StatusOr<std::vector<Decoded>> decode_push(std::string_view bytes) {
  google::protobuf::Arena arena;
  auto& request = *google::protobuf::Arena::CreateMessage<v1::PushRequest>(&arena);
  if (absl::Status status = parse(bytes, request); !status.ok()) return status;
  std::vector<Decoded> runs;
  runs.reserve(static_cast<std::size_t>(request.runs_size()));
  std::size_t decoded_bytes = 0;
  for (const v1::Run& in : request.runs()) {
    Run& run = std::get<Run>(runs.emplace_back());
    RunReader reader(request.strings(), in, Check::kLimits, run);
    std::optional<FieldError> fault = read_one(reader, run);
    decoded_bytes += reader.decoded_bytes();
    if (fault) runs.back() = *std::move(fault);
    if (decoded_bytes > push_decoded_bytes_max) {
      return absl::InvalidArgumentError(absl::StrCat("the runs of the push take more than ", push_decoded_bytes_max,
                                                     " bytes once their strings are spelled out"));
    }
  }
  return runs;
}

absl::StatusOr<PushResult> decode_result(std::string_view bytes) {
  const Quiet quiet;
  v1::PushResponse response;
  if (bytes.size() > kResultBytesMax || !response.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return absl::DataLossError("the bytes are no PushResponse message");
  PushResult result{response.accepted(), response.duplicates(), {}};
  for (v1::Rejection& in : *response.mutable_rejected())
    result.rejected.push_back(
        {in.index(), std::move(*in.mutable_field()), std::move(*in.mutable_detail()), in.retryable()});
  return result;
}

}  // namespace kleptometrics::aggregator::wire
