#include "aggregator/store/redis/reply.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "aggregator/base/absl_view.h"

namespace kleptometrics::aggregator::redis {
namespace {

// The first word of errors that pass: the server loads, is a replica, has lost its master or its disk, is out of memory
// or in a long script.
constexpr std::array<std::string_view, 12> kPassing = {"LOADING",     "READONLY", "MASTERDOWN", "OOM",
                                                       "NOSCRIPT",    "BUSY",     "MISCONF",    "NOREPLICAS",
                                                       "CLUSTERDOWN", "TRYAGAIN", "UNKILLABLE", "ERR max"};
constexpr std::array<std::string_view, 3> kRefusing = {"NOAUTH", "WRONGPASS", "NOPERM"};

template <std::size_t n>
bool begins_with_one(std::string_view text, const std::array<std::string_view, n>& words) {
  return std::ranges::any_of(words, [text](std::string_view word) { return text.starts_with(word); });
}

}  // namespace

absl::Status status_of(ReplyView reply) {
  if (!reply.error()) return absl::OkStatus();
  const std::string_view text = reply.text();
  const std::string said = absl::StrCat("the server said: ", absl_view(text));
  if (begins_with_one(text, kPassing)) return absl::UnavailableError(said);
  if (begins_with_one(text, kRefusing)) return absl::PermissionDeniedError(said);
  return absl::InternalError(said);
}

// EXECABORT only says that another command was refused.
absl::Status status_of(const Replies& replies) {
  for (std::size_t at = 0; at < replies.size(); ++at) {
    if (absl::Status status = status_of(replies[at]); !status.ok()) return status;
  }
  return absl::OkStatus();
}

bool lacks_script(const Replies& replies) {
  for (std::size_t at = 0; at < replies.size(); ++at) {
    if (replies[at].error() && replies[at].text().starts_with("NOSCRIPT")) return true;
  }
  return false;
}

}  // namespace kleptometrics::aggregator::redis
