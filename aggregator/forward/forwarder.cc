#include "aggregator/forward/forwarder.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregator/base/log.h"
#include "aggregator/forward/courier.h"
#include "aggregator/model/forwarded.h"
#include "aggregator/store/change_list.h"

namespace kleptometrics::aggregator {
namespace {

constexpr Nanos kLastTries = kNanosPerSecond / 10;  // when it is told to end
constexpr Nanos kPutOffPause = kNanosPerSecond;     // before what was put off comes again, where other runs get through
constexpr std::size_t kFaultsToldMax = 100;
constexpr std::string_view kProtobuf = "application/x-protobuf";
constexpr std::string_view kProblem = "application/problem+json";
constexpr std::size_t kWordsMax = 300;  // of an answer, in the log
constexpr int kNoAnswer = 0;
constexpr int kTooLarge = 413, kMalformed = 400;

// The newest of each run, in the order of the list, marked as passed on.
std::vector<Run> last_of_each(std::vector<Change>&& items) {
  std::set<Uuid> seen;
  std::vector<Run> runs;
  for (auto item = items.rbegin(); item != items.rend(); ++item) {
    if (!item->run || !seen.insert(item->run->id).second) continue;
    mark_forwarded(runs.emplace_back(*std::move(item->run)));
  }
  std::ranges::reverse(runs);
  return runs;
}

std::string words_of(const Reply& reply) {
  if (reply.status == kNoAnswer) return reply.error;
  return absl::StrCat("it answers with status ", reply.status, ": ", reply.body.substr(0, kWordsMax));
}

// That of a push of so many runs; nullopt if the answer does not say what became of each.
std::optional<wire::PushResult> result_of(const Reply& reply, std::size_t count) {
  if (reply.content_type != kProtobuf) return std::nullopt;
  auto result = wire::decode_result(reply.body);
  if (!result.ok() || result->accepted + result->duplicates + result->rejected.size() != count) return std::nullopt;
  std::set<std::uint32_t> indexes;
  for (const wire::Rejection& each : result->rejected)
    if (each.index >= count || !indexes.insert(each.index).second) return std::nullopt;
  return *std::move(result);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Forwarder>> Forwarder::create(Store& store, Committer& committer, const Clock& clock,
                                                             const Centre& centre) {
  auto transport = make_http_transport(centre);
  if (!transport.ok()) return absl::InvalidArgumentError(absl::StrCat("--forward: ", transport.status().message()));
  if (store.shared())
    return absl::FailedPreconditionError(
        "--forward: other aggregators may commit to this store, and each would pass on the runs of all; forward from a "
        "store that is an aggregator's own, as sqlite: is");
  if (absl::Status status = store.keep_changes(); !status.ok()) return status;
  Options options;
  options.seed = std::random_device()();
  return std::make_unique<Forwarder>(store, committer, clock, std::make_unique<Courier>(*std::move(transport)),
                                     centre.url, options);
}

Forwarder::Forwarder(Store& store, Committer& committer, const Clock& clock, std::unique_ptr<Transport> transport,
                     std::string to, const Options& options)
    : store_(store),
      committer_(committer),
      clock_(clock),
      transport_(std::move(transport)),
      to_(std::move(to)),
      options_(options),
      push_runs_(options.push_runs_max),
      back_off_(options.seed),
      put_off_(options.seed + 1) {
  committer_.after_commits([this] { nudge(); });
}

Forwarder::~Forwarder() { stop(); }

// --- one turn ----------------------------------------------------------------------------------------------------

Nanos Forwarder::turn_once() {
  const Nanos now = clock_.steady();
  if (now < not_before_) return not_before_;
  if (batch_.upto.empty()) {
    if (const absl::Status status = read(); !status.ok()) return not_before_ = now + back_off_.next();
    if (batch_.upto.empty()) return kIdle;
  }
  if (batch_.sent < batch_.runs.size()) push();
  if (batch_.sent == batch_.runs.size() && not_before_ <= now) drop();
  return std::max(now, not_before_);
}

absl::Status Forwarder::read() {
  absl::StatusOr<Changes> changes = store_.changes(options_.read_runs);
  if (!changes.ok()) return changes.status();
  batch_ = {};
  batch_.upto = std::move(changes->upto);
  batch_.runs = last_of_each(std::move(changes->items));
  return absl::OkStatus();
}

void Forwarder::push() {
  const std::size_t left = batch_.runs.size() - batch_.sent;
  wire::Push push = wire::encode_push(&batch_.runs[batch_.sent], std::min(left, push_runs_), options_.push_bytes_max);
  const Reply reply = transport_->post(std::move(push.body));
  if (reply.status == kTooLarge || reply.status == kMalformed) return refused(reply, push.runs);
  if (reply.status != 200) return failed(reply.status, words_of(reply));
  const auto result = result_of(reply, push.runs);
  if (!result) return failed(reply.status, "its answer is none of a kleptometricsd");
  take(*result, push.runs);
}

void Forwarder::take(const wire::PushResult& result, std::size_t count) {
  for (const wire::Rejection& each : result.rejected) {
    const Run& run = batch_.runs[batch_.sent + each.index];
    if (each.retryable) {
      batch_.again.push_back(run);
    } else {
      reject(run, each.field, each.detail);
    }
  }
  batch_.sent += count;
  batch_.any_taken = batch_.any_taken || result.rejected.size() < count;
  sent_ += result.accepted + result.duplicates;
  push_runs_ = std::min(2 * push_runs_, options_.push_runs_max);
  succeeded();
}

void Forwarder::reject(const Run& run, const std::string& field, const std::string& detail) {
  ++rejected_;
  if (told_faults_.size() >= kFaultsToldMax || !told_faults_.insert(field).second) return;
  log_error(absl::StrCat("forward to ", to_, ": run ", run.id.text(), " of job ", run.job, " is refused: ", field, ": ",
                         detail, "; others for the same field are counted, not told of"));
}

// The push as a whole: a part of it may pass. A run that is refused by itself is passed over, if whoever refuses is an
// aggregator and says why; anybody else may stand in between for now.
void Forwarder::refused(const Reply& reply, std::size_t count) {
  if (count > 1) {
    push_runs_ = count / 2;
    return;
  }
  if (reply.content_type != kProblem) return failed(reply.status, words_of(reply));
  reject(batch_.runs[batch_.sent], "", words_of(reply));
  ++batch_.sent;
  push_runs_ = std::min<std::size_t>(2, options_.push_runs_max);
  succeeded();
}

void Forwarder::failed(int kind, const std::string& why) {
  if (leaving()) return;
  ++failures_;
  not_before_ = clock_.steady() + back_off_.next();
  away_ = true;
  if (told_kinds_.insert(kind).second)
    log_error(absl::StrCat("forward to ", to_, ": ", in_one_line(why), "; what is committed waits in the store"));
}

void Forwarder::succeeded() {
  back_off_.reset();
  last_success_ = clock_.now().wall;
  if (!away_) return;
  away_ = false;
  told_kinds_.clear();
  log_info(absl::StrCat("forward to ", to_, ": works again"));
}

// Where the committer cannot, the batch is known to be sent, and this is tried again.
void Forwarder::drop() {
  const Nanos now = clock_.steady();
  std::vector<Command> commands;
  commands.emplace_back(DropChanges{batch_.upto, batch_.again});
  if (!committer_.submit(std::move(commands)).ok()) {
    not_before_ = now + back_off_.next();
    return;
  }
  if (batch_.again.empty()) {
    put_off_.reset();
  } else {
    deferred_ += batch_.again.size();
    not_before_ = now + (batch_.any_taken ? kPutOffPause : put_off_.next());
  }
  batch_ = {};
}

// --- the thread --------------------------------------------------------------------------------------------------

void Forwarder::nudge() {
  const Lock lock(mutex_);
  nudged_ = true;
  changed_.notify_all();
}

bool Forwarder::leaving() {
  const Lock lock(mutex_);
  return leaving_;
}

void Forwarder::start() {
  thread_ = std::thread([this] { loop(); });
}

void Forwarder::stop() {
  if (!thread_.joinable()) return;
  {
    const Lock lock(mutex_);
    finishing_ = true;
    changed_.notify_all();
    const Nanos deadline = system_steady() + kLastTries;
    for (Nanos left = kLastTries; !ended_ && left > 0; left = deadline - system_steady())
      changed_.wait_for(mutex_, std::chrono::nanoseconds(left));
    leaving_ = true;
    changed_.notify_all();
  }
  transport_->give_up();
  thread_.join();
}

void Forwarder::loop() {
  Nanos until = 0;
  while (wait(until)) until = turn_once();
  const Lock lock(mutex_);
  ended_ = true;
  changed_.notify_all();
}

// True when it is time for a turn; false when it is to end. What is committed cuts no back-off short.
bool Forwarder::wait(Nanos until) {
  const Lock lock(mutex_);
  for (;;) {
    if (leaving_) return false;
    const Nanos now = clock_.steady();
    if (until <= now || (until == kIdle && nudged_)) break;
    if (finishing_) return false;
    changed_.wait_for(mutex_, std::chrono::nanoseconds(std::min(until - now, 60 * kNanosPerSecond)));
  }
  nudged_ = false;
  return true;
}

ForwardCounts Forwarder::counts() const {
  const ChangeList* const list = change_list_of(store_);
  return {sent_, rejected_, deferred_, failures_, list == nullptr ? 0 : list->waiting(), last_success_};
}

}  // namespace kleptometrics::aggregator
