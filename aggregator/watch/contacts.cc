#include "aggregator/watch/contacts.h"

#include <sys/epoll.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "aggregator/model/forwarded.h"
#include "aggregator/watch/pidfd.h"

namespace kleptometrics::aggregator {
namespace {

constexpr std::uint64_t kUnseen = std::uint64_t{1} << 62U;  // known by an identity, not by its pid

std::uint64_t key_of_pid(std::uint32_t pid) { return Contacts::kPeerTag | pid; }
std::uint64_t key_of_identity(std::uint64_t identity) { return Contacts::kPeerTag | kUnseen | identity; }

// The snapshot of a run by the client library; null for all else.
const Run* by_library(const Command& command) {
  const auto* const snapshot = std::get_if<ApplySnapshot>(&command);
  if (snapshot == nullptr || snapshot->run.reporter != Reporter::kLibrary || snapshot->run.verdict) return nullptr;
  return &snapshot->run;
}

}  // namespace

Contacts::Contacts(const Options& options, std::string boot_id, int epoll, const Clock& clock)
    : options_(options), boot_id_(std::move(boot_id)), epoll_(epoll), clock_(clock) {}

void Contacts::heard(const std::vector<Command>& commands, const Caller& caller) {
  const auto here = [this](const Run& run) { return !boot_id_.empty() && run.boot_id == boot_id_; };
  const auto hangs = [&](const Command& command) {
    const Run* const run = by_library(command);
    return run != nullptr && !terminal(run->state) && here(*run);
  };
  const bool any_hangs = std::any_of(commands.begin(), commands.end(), hangs);
  const Lock lock(mutex_);
  Process* const process = any_hangs ? process_of(caller) : nullptr;
  for (const Command& command : commands) {
    const Run* const run = by_library(command);
    if (run == nullptr) continue;
    if (terminal(run->state)) {
      hear_ended(run->id);
    } else {
      hear_running(*run, here(*run) ? process : nullptr);
    }
  }
}

void Contacts::expect(const Run& run) {
  const Lock lock(mutex_);
  lease(run.id, length_for(run), false);
}

void Contacts::expect(const Uuid& run) {
  const Lock lock(mutex_);
  lease(run, options_.lease, false);
}

void Contacts::keep(const Silent& silent) {
  const Lock lock(mutex_);
  lease(silent.run, silent.length, false);
}

void Contacts::on_duty(Nanos as_of, Nanos until) {
  const Lock lock(mutex_);
  on_duty_ = true;
  as_of_ = as_of;
  until_ = until;
}

void Contacts::off_duty() {
  const Lock lock(mutex_);
  on_duty_ = false;
  leases_.clear();
}

void Contacts::renew(const Run& run) {
  if (run.reporter != Reporter::kLibrary) return;
  const Lock lock(mutex_);
  if (!on_duty_) return;
  if (terminal(run.state)) {
    leases_.erase(run.id);
  } else {
    lease(run.id, length_for(run), true);
  }
}

Nanos Contacts::length_for(const Run& run) const { return forwarded(run) ? options_.forwarded_lease : options_.lease; }

void Contacts::hear_running(const Run& run, Process* process) {
  // Whoever passes on the runs of others does not speak for them with its life.
  if (process == nullptr || (process->own_pid != 0 && process->own_pid != run.pid)) {
    if (!options_.by_duty) lease(run.id, length_for(run), true);
    return;
  }
  if (owners_.contains(run.id)) return;
  if (owners_.size() >= options_.runs_max) {
    ++not_kept_;
    return;
  }
  leases_.erase(run.id);
  process->runs.insert(run.id);
  owners_.emplace(run.id, process->key);
}

void Contacts::hear_ended(const Uuid& run) {
  if (!leases_.empty()) leases_.erase(run);
  const auto owner = owners_.find(run);
  if (owner == owners_.end()) return;
  if (const auto found = processes_.find(owner->second); found != processes_.end()) found->second.runs.erase(run);
  owners_.erase(owner);
}

void Contacts::lease(const Uuid& run, Nanos length, bool heard) {
  if (options_.by_duty && !on_duty_) return;
  if (owners_.contains(run)) return;  // it hangs on a process, whoever passed this on
  if (leases_.size() >= options_.runs_max && !leases_.contains(run)) {
    ++not_kept_;
    return;
  }
  leases_.insert_or_assign(run, Lease{clock_.steady(), length, heard});
}

// The process that pushes, if it can be watched. Null also where it has just ended, and is about to be taken.
Contacts::Process* Contacts::process_of(const Caller& caller) {
  if (caller.pid != 0) {
    if (const auto found = processes_.find(key_of_pid(caller.pid)); found != processes_.end())
      return has_ended(found->second.fd) ? nullptr : &found->second;
  }
  if (!options_.peers || !caller.open_pidfd || processes_.size() >= options_.peers_max) return nullptr;
  UniqueFd fd(caller.open_pidfd());
  if (!fd.valid() || has_ended(fd.get())) return nullptr;
  if (caller.pid != 0) return introduce(key_of_pid(caller.pid), caller.pid, std::move(fd));
  const auto identity = identity_of(fd.get());
  if (!identity) return nullptr;  // it would be another one with every push
  const auto found = processes_.find(key_of_identity(*identity));
  return found != processes_.end() ? &found->second : introduce(key_of_identity(*identity), 0, std::move(fd));
}

Contacts::Process* Contacts::introduce(std::uint64_t key, std::uint32_t pid, UniqueFd fd) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLONESHOT;
  event.data.u64 = key;
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd.get(), &event) != 0) return nullptr;
  Process process;
  process.key = key;
  process.fd = fd.get();
  process.own_fd = std::move(fd);
  process.pid = pid;
  process.own_pid = pid == 0 ? 0 : own_pid_of(pid);
  return &processes_.insert_or_assign(key, std::move(process)).first->second;
}

void Contacts::watched(std::uint32_t pid, std::uint32_t own_pid, int pidfd) {
  const Lock lock(mutex_);
  Process& process = processes_[key_of_pid(pid)];
  process.key = key_of_pid(pid);
  process.fd = pidfd;
  process.own_fd.reset();
  process.pid = pid;
  process.own_pid = own_pid;
}

std::vector<Uuid> Contacts::let_go(std::uint32_t pid) {
  const Lock lock(mutex_);
  const auto found = processes_.find(key_of_pid(pid));
  return found == processes_.end() ? std::vector<Uuid>() : release(found);
}

std::vector<Uuid> Contacts::release(Processes::iterator process) {
  std::vector<Uuid> runs(process->second.runs.begin(), process->second.runs.end());
  for (const Uuid& run : runs) owners_.erase(run);
  processes_.erase(process);
  return runs;
}

std::optional<Contacts::Ended> Contacts::take_ended(std::uint64_t data) {
  const Lock lock(mutex_);
  const auto found = processes_.find(data);
  if (found == processes_.end() || !found->second.own_fd.valid() || !has_ended(found->second.fd)) return std::nullopt;
  Ended ended;
  ended.pid = found->second.pid;
  ended.wait_status = wait_status_of(found->second.fd, found->second.pid);
  ended.runs = release(found);
  return ended;
}

bool Contacts::vouched(const Uuid& run) const {
  const Lock lock(mutex_);
  const auto owner = owners_.find(run);
  if (owner == owners_.end()) return false;
  const auto process = processes_.find(owner->second);
  return process != processes_.end() && !has_ended(process->second.fd);
}

std::vector<Contacts::Silent> Contacts::take_silent() {
  const Nanos steady = clock_.steady();
  std::vector<Silent> silent;
  const Lock lock(mutex_);
  if (options_.by_duty && (!on_duty_ || steady >= until_)) return silent;
  const Nanos now = options_.by_duty ? as_of_ : steady;
  for (auto lease = leases_.begin(); lease != leases_.end();) {
    if (now - lease->second.since < lease->second.length) {
      ++lease;
      continue;
    }
    silent.push_back({lease->first, now - lease->second.since, lease->second.heard, lease->second.length});
    lease = leases_.erase(lease);
  }
  return silent;
}

std::uint64_t Contacts::not_kept() const {
  const Lock lock(mutex_);
  return not_kept_;
}

}  // namespace kleptometrics::aggregator
