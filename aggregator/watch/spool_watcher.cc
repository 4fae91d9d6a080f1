#include "aggregator/watch/spool_watcher.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <iterator>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregator/base/log.h"
#include "aggregator/watch/pidfd.h"
#include "lib/journal/process.h"

namespace kleptometrics::aggregator {
namespace {

constexpr std::uint64_t kWake = 0, kFiles = 1;  // tags of events; processes have higher ones
constexpr Nanos kRetryAfter = kNanosPerSecond;
constexpr Nanos kAbandonedAfter = 60 * kNanosPerSecond;
constexpr int kEventsMax = 64;

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

std::optional<unsigned> uid_of(const std::string& name) {
  unsigned uid = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), uid);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return uid;
}

Nanos modified_at(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return 0;
  return static_cast<Nanos>(info.st_mtim.tv_sec) * kNanosPerSecond + info.st_mtim.tv_nsec;
}

std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

bool watch_events(int epoll, int fd, std::uint32_t events, std::uint64_t tag) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  return ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

}  // namespace

SpoolWatcher::SpoolWatcher(std::string spool_dir, Store& store, Committer& committer, const Clock& clock,
                           const WatchOptions& options)
    : spool_dir_(std::move(spool_dir)),
      store_(store),
      clock_(clock),
      options_(options),
      self_(journal::Producer::self()),
      adopter_(committer),
      judge_(store, committer, clock),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      contacts_({.peers = options.peers,
                 .lease = options.lease,
                 .forwarded_lease = options.forwarded_lease,
                 .by_duty = store.shared()},
                self_.boot_id, epoll_.get(), clock) {
  watch_events(epoll_.get(), wake_.get(), EPOLLIN, kWake);
  if (events_.fd().valid()) watch_events(epoll_.get(), events_.fd().get(), EPOLLIN, kFiles);
}

SpoolWatcher::~SpoolWatcher() { stop(); }

void SpoolWatcher::start(absl::FunctionRef<void(std::vector<Run>)> living) {
  scan_once();
  for (const auto& [path, known] : journals_) {
    journal::Contents contents;
    if (journal::look_into(path, known.owner, &contents) == journal::ReadError::kNone) living(snapshots_in(contents));
  }
  if (!store_.shared()) {
    if (const absl::Status status = expect_open_runs(); !status.ok())
      log_error(absl::StrCat("runs that are open cannot be listed: ", status.message()));
  }
  thread_ = std::thread([this] { loop(); });
}

void SpoolWatcher::stop() {
  if (!thread_.joinable()) return;
  const std::uint64_t one = 1;
  while (::write(wake_.get(), &one, sizeof one) != sizeof one) std::this_thread::yield();  // or it would wait for ever
  thread_.join();
}

void SpoolWatcher::loop() {
  for (;;) {
    turn(wait_ms());
    std::uint64_t ignored = 0;
    if (::read(wake_.get(), &ignored, sizeof ignored) > 0) return;
    const Nanos now = clock_.steady();
    if (now - scanned_at_ >= (scan_soon_ ? kRetryAfter : std::min(options_.look_every, options_.lease / 3)))
      scan_once();
  }
}

// Until something is due. With the clock's hands in the hands of a test, that may be for ever.
int SpoolWatcher::wait_ms() const {
  const Nanos now = clock_.steady();
  Nanos next = scanned_at_ + (scan_soon_ ? kRetryAfter : std::min(options_.look_every, options_.lease / 3));
  for (const auto& [path, known] : journals_)
    if (known.end) next = std::min(next, known.not_before);
  if (judge_.waits()) next = std::min(next, judge_.retry_at());
  return static_cast<int>((std::max<Nanos>(next - now, 0) + 999'999) / 1'000'000);
}

int SpoolWatcher::turn(int timeout_ms) {
  std::array<epoll_event, kEventsMax> events{};
  const int count = ::epoll_wait(epoll_.get(), events.data(), kEventsMax, timeout_ms);
  int adopted = 0;
  for (int i = 0; i < count; ++i) {
    const std::uint64_t tag = events[static_cast<std::size_t>(i)].data.u64;
    if (tag == kWake) continue;
    if (tag == kFiles) {
      adopted += act_on_files();
    } else if ((tag & Contacts::kPeerTag) != 0) {
      adopted += act_on_peer(tag);
    } else {
      adopted += act_on_process(tag);
    }
  }
  return adopted + retry();
}

// --- what has happened -------------------------------------------------------------------------------------------

int SpoolWatcher::act_on_files() {
  using Kind = SpoolEvents::Event::Kind;
  std::vector<SpoolEvents::Event> events;
  if (!events_.take(events)) scan_soon_ = true;
  int adopted = 0;
  for (const SpoolEvents::Event& event : events) {
    const std::string path = event.directory + "/" + event.name;
    const bool of_user = event.directory != spool_dir_;
    if (event.kind == Kind::kDirectory) {
      if (const auto uid = uid_of(event.name); uid && !of_user && ::geteuid() == 0)
        adopted += scan_directory(path, *uid);
      continue;
    }
    if (!ends_with(event.name, journal::kSuffix)) continue;
    const auto known = journals_.find(path);
    if (event.kind == Kind::kWent) {
      if (known != journals_.end()) forget(known);
      continue;
    }
    if (event.kind == Kind::kLetGo && !options_.files) continue;
    // A try of ours to adopt it is such an event, too.
    if (known != journals_.end() && known->second.end && known->second.not_before > clock_.steady()) continue;
    adopted += look_at(path, of_user ? uid_of(name_of(event.directory)).value_or(::geteuid()) : ::geteuid());
  }
  return adopted;
}

int SpoolWatcher::act_on_process(std::uint64_t tag) {
  const auto path = by_tag_.find(tag);
  if (path == by_tag_.end()) return 0;  // its journal went in the same breath
  const auto known = journals_.find(path->second);
  if (known == journals_.end() || !has_ended(known->second.pidfd.get())) return 0;
  known->second.end =
      End{End::How::kGone, clock_.now().wall, wait_status_of(known->second.pidfd.get(), known->second.pid)};
  return adopt(known);
}

int SpoolWatcher::act_on_peer(std::uint64_t data) {
  const auto ended = contacts_.take_ended(data);
  if (!ended) return 0;
  const End end{End::How::kGone, clock_.now().wall, ended->wait_status};
  const int adopted = drain_journals_of(ended->runs, end);  // what stands there comes first
  for (const Uuid& run : ended->runs) judge_.judge(run, end);
  return adopted;
}

int SpoolWatcher::retry() {
  const Nanos now = clock_.steady();
  std::vector<std::string> due;
  for (const auto& [path, known] : journals_)
    if (known.end && known.not_before <= now) due.push_back(path);
  int adopted = 0;
  for (const std::string& path : due) adopted += adopt(journals_.find(path));
  judge_.retry();
  return adopted;
}

// --- a look at everything ----------------------------------------------------------------------------------------

int SpoolWatcher::scan_once() {
  scanned_at_ = clock_.steady();
  scan_soon_ = false;
  int adopted = 0;
  if (!spool_dir_.empty()) {
    adopted += scan_directory(spool_dir_, ::geteuid());
    if (::geteuid() == 0) adopted += scan_users();
    forget_missing();
  }
  look_at_leases();
  first_scan_ = false;
  return adopted;
}

int SpoolWatcher::scan_users() {
  int adopted = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(spool_dir_, error))
    if (const auto uid = uid_of(entry.path().filename().string());
        uid && entry.is_directory(error) && !entry.is_symlink(error))
      adopted += scan_directory(entry.path().string(), *uid);
  return adopted;
}

int SpoolWatcher::scan_directory(const std::string& directory, unsigned owner) {
  // Before it is listed, so that nothing comes in between.
  if (!events_.watch(directory)) scan_soon_ = true;
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    std::string path = entry.path().string();
    if (ends_with(path, journal::kSuffix)) found.push_back(std::move(path));
    // Its program was killed while it made the file.
    else if (ends_with(path, journal::kNewSuffix) && modified_at(path) < clock_.now().wall - kAbandonedAfter)
      ::unlink(path.c_str());
  }
  std::sort(found.begin(), found.end());
  int adopted = 0;
  for (const std::string& path : found) adopted += look_at(path, owner);
  return adopted;
}

void SpoolWatcher::forget_missing() {
  for (auto known = journals_.begin(); known != journals_.end();) {
    const auto next = std::next(known);
    if (modified_at(known->first) == 0) forget(known);
    known = next;
  }
}

// --- one journal -------------------------------------------------------------------------------------------------

int SpoolWatcher::look_at(const std::string& path, unsigned owner) {
  journal::Glimpse glimpse;
  const journal::ReadError error = journal::glimpse_at(path, owner, &glimpse);
  if (error == journal::ReadError::kUnreadable || error == journal::ReadError::kNewer) {
    adopter_.complain(path, error);
    return 0;
  }
  const auto known = journals_.try_emplace(path).first;
  known->second.owner = owner;
  known->second.own_pid = glimpse.producer.pid;
  if (!known->second.end) known->second.end = end_of(known->second, glimpse, path);
  if (known->second.end) return adopt(known);
  watch_program(known, glimpse);
  return 0;
}

// Journals of a process that ended, which pushed these runs: those that no pidfd stands for.
int SpoolWatcher::drain_journals_of(const std::vector<Uuid>& runs, const End& end) {
  std::vector<std::string> its;
  for (const auto& [path, known] : journals_) {
    journal::Contents contents;
    if (known.pidfd.valid() || journal::look_into(path, known.owner, &contents) != journal::ReadError::kNone) continue;
    const std::vector<Uuid> there = runs_in(contents);
    if (std::find_first_of(there.begin(), there.end(), runs.begin(), runs.end()) != there.end()) its.push_back(path);
  }
  int adopted = 0;
  for (const std::string& path : its) {
    const auto known = journals_.find(path);
    known->second.end = end;
    adopted += adopt(known);
  }
  return adopted;
}

// What is known of the end of its program; nullopt while that lives, or while somebody else has the journal's lock.
std::optional<End> SpoolWatcher::end_of(const Known& known, const journal::Glimpse& glimpse,
                                        const std::string& path) const {
  // Of a program that ended while no aggregator ran nobody knows when.
  const std::optional<Nanos> at = first_scan_ ? std::nullopt : std::optional(clock_.now().wall);
  if (known.pidfd.valid()) {
    if (has_ended(known.pidfd.get())) return End{End::How::kGone, at, wait_status_of(known.pidfd.get(), known.pid)};
    if (!glimpse.locked && !journal::maps_file(known.pid, name_of(path))) return End{End::How::kReplaced, at};
    return std::nullopt;
  }
  if (glimpse.locked) return std::nullopt;
  switch (journal::whereabouts(glimpse.producer)) {
    case journal::Whereabouts::kGone:
      if (glimpse.producer.boot_id.empty()) return End{End::How::kGone, at};
      return End{End::How::kRestarted};
    case journal::Whereabouts::kElsewhere:
      if (vouched_for(path, known.owner)) return std::nullopt;
      return End{End::How::kGone, at};
    case journal::Whereabouts::kHere:
      break;
  }
  if (journal::is_alive(glimpse.producer, name_of(path))) return std::nullopt;
  const auto stat = journal::process_stat(glimpse.producer.pid);
  const bool same = stat && stat->start_ticks == glimpse.producer.start_ticks;
  if (same && !stat->exited()) return End{End::How::kReplaced, at};
  return End{End::How::kGone, at, same ? stat->wait_status : std::nullopt};
}

// True if a run of it was pushed by a process that lives, in whatever namespace: its host closed all descriptors, the
// lock with them.
bool SpoolWatcher::vouched_for(const std::string& path, unsigned owner) const {
  journal::Contents contents;
  if (journal::look_into(path, owner, &contents) != journal::ReadError::kNone) return false;
  const std::vector<Uuid> runs = runs_in(contents);
  return std::any_of(runs.begin(), runs.end(), [this](const Uuid& run) { return contacts_.vouched(run); });
}

void SpoolWatcher::watch_program(Journals::iterator journal, const journal::Glimpse& glimpse) {
  Known& known = journal->second;
  if (known.pidfd.valid() || !options_.pidfds) return;
  const auto where = journal::whereabouts(glimpse.producer);
  const std::uint32_t pid = where == journal::Whereabouts::kHere ? glimpse.producer.pid : glimpse.holder;
  if (where == journal::Whereabouts::kGone || pid == 0) return;
  if (by_tag_.size() >= options_.pidfds_max) return count_unwatched();
  UniqueFd pidfd = open_pidfd(pid, glimpse.producer.start_ticks);
  if (!pidfd.valid()) {
    if (errno != ESRCH) return count_unwatched();
    // It ends right now; or somebody else adopts its journal.
    if (where == journal::Whereabouts::kHere) scan_soon_ = true;
    return;
  }
  const std::uint64_t tag = ++last_tag_;
  if (!watch_events(epoll_.get(), pidfd.get(), EPOLLIN | EPOLLONESHOT, tag)) return count_unwatched();
  known.pid = pid;
  known.tag = tag;
  known.pidfd = std::move(pidfd);
  by_tag_.emplace(tag, journal->first);
  contacts_.watched(pid, glimpse.producer.pid, known.pidfd.get());
}

void SpoolWatcher::count_unwatched() {
  if (unwatched_++ == 0)
    log_error(absl::StrCat("no more processes can be watched, beside ", by_tag_.size(),
                           ": of others it is seen when they let go of their journal"));
}

int SpoolWatcher::adopt(Journals::iterator journal) {
  Known& known = journal->second;
  const Adopter::Done done = adopter_.adopt(journal->first, known.owner, *known.end);
  if (done == Adopter::Done::kLater) {
    known.not_before = clock_.steady() + kRetryAfter;
    return 0;
  }
  const End end = *known.end;
  const std::vector<Uuid> open = known.pidfd.valid() ? contacts_.let_go(known.pid) : std::vector<Uuid>();
  forget(journal);
  for (const Uuid& run : open) judge_.judge(run, end);  // that it had pushed, and its journal did not have
  return done == Adopter::Done::kAdopted ? 1 : 0;
}

// Its file is gone, or will not be adopted.
void SpoolWatcher::forget(Journals::iterator journal) {
  Known& known = journal->second;
  if (known.pidfd.valid()) {
    by_tag_.erase(known.tag);
    for (const Uuid& run : contacts_.let_go(known.pid)) contacts_.expect(run);
  }
  adopter_.forget(journal->first);
  journals_.erase(journal);
}

// --- runs without a journal --------------------------------------------------------------------------------------

void SpoolWatcher::look_at_leases() {
  for (const Contacts::Silent& silent : contacts_.take_silent()) {
    const auto run = store_.run(silent.run);
    if (!run.ok()) contacts_.keep(silent);
    if (!run.ok() || !*run || terminal((*run)->state) || has_living_journal(**run)) continue;
    End end{End::How::kSilent};
    if (silent.heard) end.at = clock_.now().wall - silent.silence;
    end.silence = silent.silence;
    judge_.judge(silent.run, end);
  }
}

// True if the run stands in the journal of a program that lives: it is stopped, or cannot reach us by the network.
bool SpoolWatcher::has_living_journal(const Run& run) const {
  if (run.boot_id != self_.boot_id) return false;
  return std::any_of(journals_.begin(), journals_.end(), [&](const auto& journal) {
    const auto& [path, known] = journal;
    journal::Contents contents;
    if (known.end || known.own_pid != run.pid) return false;
    if (journal::look_into(path, known.owner, &contents) != journal::ReadError::kNone) return false;
    const std::vector<Uuid> runs = runs_in(contents);
    return std::find(runs.begin(), runs.end(), run.id) != runs.end();
  });
}

absl::Status SpoolWatcher::begin_duty() {
  contacts_.on_duty(0, 0);  // they are kept, and not taken yet
  return expect_open_runs();
}

absl::Status SpoolWatcher::expect_open_runs() {
  constexpr std::size_t kPage = 1000;
  std::optional<RunCursor> after;
  do {
    const auto page = store_.runs({.states = {State::kRunning}}, after, kPage);
    if (!page.ok()) return page.status();
    for (const Run& run : page->runs)
      if (run.reporter == Reporter::kLibrary) contacts_.expect(run);
    after = page->next;
  } while (after);
  return absl::OkStatus();
}

}  // namespace kleptometrics::aggregator
