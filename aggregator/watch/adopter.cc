#include "aggregator/watch/adopter.h"

#include <sys/stat.h>

#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregator/base/log.h"

namespace kleptometrics::aggregator {
namespace {

constexpr std::size_t kComplaintsMax = 1000;

bool is_there(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

}  // namespace

Adopter::Done Adopter::adopt(const std::string& path, unsigned owner, const End& end) {
  journal::ReadError error = journal::ReadError::kNone;
  const auto adoption = journal::Adoption::open(path, owner, &error);
  if (adoption == nullptr) {
    if (error == journal::ReadError::kBusy) return Done::kLater;
    complain(path, error);
    return Done::kLeft;
  }
  if (adoption->producer_alive()) return Done::kLater;
  error = adoption->read_again();
  if (error == journal::ReadError::kUnreadable || error == journal::ReadError::kNewer) return Done::kLater;
  const journal::Contents& contents = adoption->contents();
  Adopted adopted = adopted_from(contents, end);
  if (error == journal::ReadError::kDamagedHead || contents.damaged + adopted.damaged + adopted.strange != 0)
    complain_once(path, absl::StrCat("it is damaged; ", contents.damaged, " records or areas are lost, ",
                                     adopted.damaged, " areas make no sense, ", adopted.strange,
                                     " records are no run; ", contents.records.size(), " records were found"));
  if (!commit(std::move(adopted), contents.producer, path)) return Done::kLater;
  adoption->remove_file();
  forget(path);
  return Done::kAdopted;
}

void Adopter::complain(const std::string& path, journal::ReadError error) {
  if (error == journal::ReadError::kNewer) complain_once(path, "a newer program wrote it; left alone");
  // Its program may have removed it just now.
  if (error == journal::ReadError::kUnreadable && is_there(path))
    complain_once(path, "it cannot be read, or belongs to someone else; left alone");
}

// False if it must be tried again later.
bool Adopter::commit(Adopted adopted, const journal::Producer& producer, const std::string& path) {
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

void Adopter::complain_once(const std::string& path, const std::string& why) {
  if (complained_.size() < kComplaintsMax && complained_.insert(path).second)
    log_error(absl::StrCat("journal ", path, ": ", why));
}

}  // namespace kleptometrics::aggregator
