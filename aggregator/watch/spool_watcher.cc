#include "aggregator/watch/spool_watcher.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregator/base/log.h"

namespace kleptometrics::aggregator {
namespace {

constexpr std::chrono::milliseconds kBetweenScans(500);
constexpr Nanos kAbandonedAfter = 60 * kNanosPerSecond;
constexpr std::size_t kComplaintsMax = 1000;

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

}  // namespace

SpoolWatcher::SpoolWatcher(std::string spool_dir, Committer& committer, const Clock& clock)
    : spool_dir_(std::move(spool_dir)), committer_(committer), clock_(clock) {}

SpoolWatcher::~SpoolWatcher() { stop(); }

void SpoolWatcher::start() {
  thread_ = std::thread([this] { loop(); });
}

void SpoolWatcher::stop() {
  {
    const Lock lock(mutex_);
    stopping_ = true;
    stop_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void SpoolWatcher::loop() {
  for (;;) {
    scan_once();
    const Lock lock(mutex_);
    if (!stopping_) stop_.wait_for(mutex_, kBetweenScans);
    if (stopping_) return;
  }
}

int SpoolWatcher::scan_once() {
  int adopted = scan_directory(spool_dir_, ::geteuid());
  if (::geteuid() == 0) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(spool_dir_, error))
      if (const auto uid = uid_of(entry.path().filename().string());
          uid && entry.is_directory(error) && !entry.is_symlink(error))
        adopted += scan_directory(entry.path().string(), *uid);
  }
  first_scan_ = false;
  return adopted;
}

int SpoolWatcher::scan_directory(const std::string& directory, unsigned owner) {
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
  for (const std::string& path : found) adopted += adopt(path, owner) ? 1 : 0;
  return adopted;
}

bool SpoolWatcher::adopt(const std::string& path, unsigned owner) {
  // A program that ended while no aggregator ran did so nobody knows when.
  const std::optional<Nanos> ended_at = first_scan_ ? std::nullopt : std::optional(clock_.now().wall);
  journal::ReadError error = journal::ReadError::kNone;
  const auto adoption = journal::Adoption::open(path, owner, &error);
  if (adoption == nullptr) {
    if (error == journal::ReadError::kNewer) complain_once(path, "a newer program wrote it; left alone");
    // Its program may have removed it just now.
    if (error == journal::ReadError::kUnreadable && modified_at(path) != 0)
      complain_once(path, "it cannot be read, or belongs to someone else; left alone");
    return false;
  }
  if (adoption->producer_alive()) return false;
  error = adoption->read_again();
  if (error == journal::ReadError::kUnreadable || error == journal::ReadError::kNewer) return false;
  const journal::Contents& contents = adoption->contents();
  Adopted adopted = adopted_from(contents, ended_at);
  if (error == journal::ReadError::kDamagedHead || contents.damaged + adopted.damaged + adopted.strange != 0)
    complain_once(path, absl::StrCat("it is damaged; ", contents.damaged, " records or areas are lost, ",
                                     adopted.damaged, " areas make no sense, ", adopted.strange,
                                     " records are no run; ", contents.records.size(), " records were found"));
  if (!commit(std::move(adopted), contents.producer, path)) return false;
  adoption->remove_file();
  complained_.erase(path);
  return true;
}

// False if it must be tried again later.
bool SpoolWatcher::commit(Adopted adopted, const journal::Producer& producer, const std::string& path) {
  const std::size_t count = adopted.commands.size();
  const auto outcomes = committer_.submit(std::move(adopted.commands));
  if (!outcomes.ok()) return false;
  for (const Outcome& outcome : *outcomes) {
    if (outcome.kind == Outcome::Kind::kDeferred) return false;
    if (outcome.kind == Outcome::Kind::kRejected)
      complain_once(path, absl::StrCat("a run of it was refused: ", outcome.field, ": ", outcome.detail));
  }
  if (count != 0)
    log_info(absl::StrCat("adopted a journal program=", producer.program, " pid=", producer.pid,
                          " snapshots=", count - adopted.crashed, " crashed=", adopted.crashed));
  return true;
}

void SpoolWatcher::complain_once(const std::string& path, const std::string& why) {
  if (complained_.size() < kComplaintsMax && complained_.insert(path).second)
    log_error(absl::StrCat("journal ", path, ": ", why));
}

}  // namespace kleptometrics::aggregator
