#include "lib/src/client_state.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <thread>
#include <utility>

#include "lib/base/fork.h"
#include "lib/base/places.h"
#include "lib/http/endpoint.h"
#include "lib/src/own.h"
#include "lib/src/process.h"
#include "lib/src/run_state.h"
#include "lib/src/ticks.h"

namespace kleptometrics::internal {
namespace {

constexpr std::chrono::milliseconds kTick(100);        // between two turns of the worker
constexpr std::chrono::milliseconds kHurriedTick(10);  // while somebody waits for delivery
constexpr Nanos kTellEvery = 60 * kNanosPerSecond;
constexpr std::size_t kCallsMax = 1000;
constexpr Nanos kSlowHook = kNanosPerSecond;

// Far enough off for whoever wants to wait for ever, and near enough for a clock.
std::chrono::steady_clock::time_point deadline_in(Duration timeout) {
  constexpr Duration kLongest = std::chrono::hours(24 * 365);
  return std::chrono::steady_clock::now() + std::clamp(timeout, Duration::zero(), kLongest);
}

std::string found_spool(const std::string& endpoint) {
  if (std::string dir = places::environment("KLEPTO_SPOOL_DIR"); !dir.empty()) return dir;
  const bool of_system = endpoint == std::string("unix:") + places::kSystemSocket;
  // An aggregator that root runs is the system's, and watches the system's spool.
  if (of_system || (::geteuid() == 0 && !http::is_socket(places::user_socket())))
    return places::system_spool_dir(::geteuid());
  return places::user_spool_dir();
}

ClientOptions completed(ClientOptions options) {
  if (options.endpoint.empty()) options.endpoint = http::found_endpoint();
  if (options.spool_dir.empty()) options.spool_dir = found_spool(options.endpoint);
  if (options.api_key.empty()) options.api_key = places::environment("KLEPTO_API_KEY");
  if (options.ca_file.empty()) options.ca_file = places::environment("KLEPTO_CA_FILE");
  options.flush_timeout = std::max(options.flush_timeout, Duration::zero());
  options.snapshot_interval =
      std::clamp<Duration>(options.snapshot_interval, std::chrono::milliseconds(10), std::chrono::seconds(30));
  return options;
}

// Stands in where the endpoint makes no sense: every push fails, and the journal keeps what there is.
class NoTransport final : public Transport {
 public:
  explicit NoTransport(std::string why) : why_(std::move(why)) {}
  Reply push(const std::string&) override { return {0, {}, why_}; }

 private:
  const std::string why_;
};

std::unique_ptr<Transport> transport_for(const ClientOptions& options, std::unique_ptr<Transport> given) {
  if (given != nullptr) return given;
  std::string error;
  if (auto made = make_http_transport(options.endpoint, options.api_key, options.ca_file, &error)) return made;
  return std::make_unique<NoTransport>(error);
}

}  // namespace

std::shared_ptr<ClientState> ClientState::open(ClientOptions options, Seams seams) noexcept {
  const NotCancelled not_cancelled;
  try {
    if (places::environment("KLEPTO_DISABLED") == "1") return nullptr;
    prepare_process();
    const bool thread = seams.thread;
    const std::shared_ptr<ClientState> made(new ClientState(completed(std::move(options)), std::move(seams)),
                                            DeleteOwn<ClientState>());
    if (made->journal_ == nullptr) return nullptr;
    remember_client(made);
    if (thread) made->start_worker();
    return made;
  } catch (...) {
    return nullptr;
  }
}

ClientState::ClientState(ClientOptions given, Seams seams)
    : options(std::move(given)),
      clock(seams.clock == nullptr ? system_clock() : *seams.clock),
      program(this_program()),
      parent_id(Uuid::parse(places::environment("KLEPTO_PARENT_ID")).value_or(Uuid{})),
      generation(fork_generation()),
      transport_(transport_for(options, std::move(seams.transport))) {
  journal::Writer::Options to;
  to.bytes = options.journal_bytes_max;
  std::string error = places::make_private_dir(options.spool_dir);
  if (error.empty()) to.directory = options.spool_dir;
  journal_ = journal::Writer::open(to, &error);
  if (journal_ == nullptr) return;
  if (!journal_->durable()) trouble(Trouble::kSpool, "runs are kept in memory only: " + error);
  shipper_ = std::make_unique<Shipper>(*journal_, *transport_, clock,
                                       [this](std::string_view why) { trouble(Trouble::kDelivery, why); });
}

ClientState::~ClientState() = default;

// The worker is detached and holds a share of the state: whatever becomes of the Client, and in a forked child, where
// there is no worker, nothing ever waits for it without a limit.
void ClientState::start_worker() {
  {
    const Lock lock(mutex_);
    working_ = true;
  }
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);  // the host's signals are the host's; and no SIGPIPE from a socket reaches it
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    std::thread(work, shared_from_this()).detach();
  } catch (...) {
    const Lock lock(mutex_);
    working_ = false;
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

bool ClientState::active() const noexcept {
  return !closed_.load(std::memory_order_relaxed) && generation == fork_generation();
}

journal::Sequence ClientState::record(std::string_view payload, bool terminal, journal::Sequence supersedes) noexcept {
  const journal::Sequence sequence = journal_->append(payload, terminal, supersedes);
  if (sequence != 0) {  // the highest so far, whoever else records
    std::uint64_t last = last_sequence_.load();
    while (last < sequence && !last_sequence_.compare_exchange_weak(last, sequence)) {
    }
  }
  return sequence;
}

void ClientState::opened(const std::shared_ptr<RunState>& run) {
  ++runs_;
  const Lock lock(mutex_);
  open_.emplace(run.get(), run);
}

void ClientState::ended(const RunState* run) noexcept {
  const Lock lock(mutex_);
  open_.erase(run);
}

void ClientState::call(HookCall call) noexcept {
  if (closed_) return;  // nobody would call it any more
  try {
    {
      const Lock lock(mutex_);
      if (calls_.size() < kCallsMax) return calls_.push_back(std::move(call));
    }
    trouble(Trouble::kHook, "a hook was not called: more than 1000 calls are waiting");
  } catch (...) {  // no memory: the hook is not called
  }
}

void ClientState::trouble(Trouble kind, std::string_view message) noexcept {
  try {
    const Lock lock(mutex_);
    Told& told = told_[static_cast<std::size_t>(kind)];
    ++told.times;
    told.message = message;
    last_error_ = message;
  } catch (...) {  // no memory to say it with
  }
}

bool ClientState::flush(Duration timeout) noexcept {
  if (generation != fork_generation()) return false;
  const NotCancelled not_cancelled;
  try {
    const journal::Sequence upto = last_recorded();
    const auto deadline = deadline_in(timeout);
    Lock lock(mutex_);
    while (journal_->pending_since(upto)) {
      const auto now = std::chrono::steady_clock::now();
      if (now >= deadline || !working_) return false;
      hurry_ = true;
      changed_.notify_all();
      changed_.wait_for(mutex_, std::min<std::chrono::nanoseconds>(deadline - now, kTick));
    }
    return true;
  } catch (...) {
    return false;
  }
}

void ClientState::close(Duration timeout) noexcept {
  if (generation != fork_generation() || closed_.exchange(true)) return;
  const NotCancelled not_cancelled;
  const auto deadline = deadline_in(timeout);
  const Lock lock(mutex_);
  stop_ = true;
  changed_.notify_all();
  while (working_) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= deadline) {  // the worker goes on for as long as the process lives; the journal stays
      abandoned_ = true;
      return;
    }
    changed_.wait_for(mutex_, deadline - now);
  }
}

void ClientState::exit_runs(int status) noexcept {
  if (!active()) return;
  try {
    for (const auto& run : open_runs()) run->end({false, status});
  } catch (...) {  // no memory: they will be found open in the journal
  }
}

ClientStats ClientState::stats() const noexcept {
  ClientStats out;
  if (generation != fork_generation()) return out;
  const ShipperCounts& counts = shipper_->counts();
  out.runs = runs_;
  out.delivered = counts.delivered;
  out.duplicates = counts.duplicates;
  out.rejected = counts.rejected;
  out.retries = counts.retries;
  out.dropped = journal_->dropped();
  out.cut = cut_;
  out.pending = journal_->pending_count();
  out.durable = journal_->durable();
  try {
    const Lock lock(mutex_);
    out.last_error = last_error_;
  } catch (...) {  // no memory for the text
  }
  return out;
}

// --- the worker --------------------------------------------------------------------------------------------------

void ClientState::work(std::shared_ptr<ClientState> self) noexcept {
  ::pthread_setname_np(::pthread_self(), "kleptometrics");
  while (self->loop_once()) {
  }
  self->journal_->remove_if_empty();
  {
    const Lock lock(self->mutex_);
    self->calls_.clear();  // they hold runs, which hold the client
    self->working_ = false;
    self->changed_.notify_all();
  }
  self->transport_->leave();
}

// False when it is time to end: asked to stop, and all is delivered or the last try failed.
bool ClientState::loop_once() {
  bool hurry = false;
  bool stop = false;
  {
    const Lock lock(mutex_);
    hurry = std::exchange(hurry_, false);
    stop = stop_;
  }
  try {
    turn(hurry || stop);
  } catch (...) {  // no memory: what was to be done is done in a later turn
  }
  const Lock lock(mutex_);
  changed_.notify_all();
  if (stop) return false;
  if (hurry) {
    changed_.wait_for(mutex_, kHurriedTick);
  } else if (!hurry_ && !stop_) {
    changed_.wait_for(mutex_, kTick);
  }
  return true;
}

Shipper::Turn ClientState::turn(bool hurry) {
  if (&clock == &system_clock()) ticks::calibration().look(clock);
  visit_runs();
  const Shipper::Turn result = shipper_->turn(hurry);
  const std::uint64_t dropped = journal_->dropped();
  if (const std::uint64_t before = dropped_told_.exchange(dropped); dropped > before)
    trouble(Trouble::kDropped, std::to_string(dropped - before) + " snapshots were dropped: the journal is full");
  call_hooks();
  call_errors();
  return result;
}

std::vector<std::shared_ptr<RunState>> ClientState::open_runs() const {
  std::vector<std::shared_ptr<RunState>> out;
  const Lock lock(mutex_);
  out.reserve(open_.size());
  for (const auto& [key, weak] : open_)
    if (auto run = weak.lock()) out.push_back(std::move(run));
  return out;
}

void ClientState::visit_runs() {
  const TimePoint now = clock.now();
  for (const auto& run : open_runs()) run->look(now);
}

void ClientState::call_hooks() {
  std::deque<HookCall> calls;
  {
    const Lock lock(mutex_);
    calls.swap(calls_);
  }
  for (const HookCall& call : calls) {
    const bool failure = call.kind == HookKind::kFailure;
    call_hook(failure ? options.on_failure : options.on_delay, call);
    call_hook(failure ? call.run->options.on_failure : call.run->options.on_delay, call);
  }
}

void ClientState::call_hook(const Hook& hook, const HookCall& call) {
  if (!hook || abandoned_) return;
  const Nanos begin = clock.steady();
  try {
    hook(call.run->info(call));
  } catch (const std::exception& error) {
    trouble(Trouble::kHook, std::string("a hook threw: ") + error.what());
  } catch (...) {
    trouble(Trouble::kHook, "a hook threw");
  }
  if (const Nanos took = clock.steady() - begin; took >= kSlowHook)
    trouble(Trouble::kHook, "a hook took " + std::to_string(took / 1'000'000) + " ms; nothing was delivered meanwhile");
}

void ClientState::call_errors() {
  std::vector<std::string> due;
  const Nanos now = clock.steady();
  {
    const Lock lock(mutex_);
    for (Told& told : told_) {
      if (told.times == 0 || (told.last && now - *told.last < kTellEvery)) continue;
      if (told.times > 1) told.message += " (" + std::to_string(told.times) + " times)";
      due.push_back(std::move(told.message));
      told = {std::string(), 0, now};
    }
  }
  if (!options.on_error) return;
  for (const std::string& message : due) {
    if (abandoned_) return;
    try {
      options.on_error(message);
    } catch (...) {  // nobody is left to tell
    }
  }
}

}  // namespace kleptometrics::internal
