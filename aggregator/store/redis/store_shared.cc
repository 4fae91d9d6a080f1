// What several aggregators on one server need to know of each other: duties, and the list of changes.
#include <charconv>
#include <optional>

#include "absl/strings/str_cat.h"
#include "aggregator/base/absl_view.h"
#include "aggregator/model/utf8.h"
#include "aggregator/store/redis/scripts.h"
#include "aggregator/store/redis/store.h"
#include "aggregator/wire/job_spec.h"
#include "aggregator/wire/wire.h"

namespace kleptometrics::aggregator::redis {
namespace {

using Item = Change;

constexpr std::size_t kEntriesAtOnce = 16;  // commits, each of which may hold many changes

std::optional<Item> read_item(std::string_view kind, std::string_view value) {
  if (kind == "r") {
    absl::StatusOr<Run> run = wire::decode_run(value);
    if (!run.ok()) return std::nullopt;
    return Item{run->job, *std::move(run), std::nullopt};
  }
  const std::size_t end = value.find('\0');
  if (kind != "s" || end == std::string_view::npos) return std::nullopt;
  absl::StatusOr<JobSpec> spec = wire::decode_job_spec(value.substr(end + 1));
  if (!spec.ok()) return std::nullopt;
  return Item{std::string(value.substr(0, end)), std::nullopt, *std::move(spec)};
}

// The smallest id of an entry of a stream behind this one; empty if that is no id.
std::string id_behind(std::string_view id) {
  const std::size_t dash = id.find('-');
  if (dash == std::string_view::npos) return "";
  std::uint64_t millis = 0;
  std::uint64_t number = 0;
  const char* const end = id.data() + id.size();
  if (std::from_chars(id.data(), id.data() + dash, millis).ptr != id.data() + dash) return "";
  if (std::from_chars(id.data() + dash + 1, end, number).ptr != end || dash + 1 == id.size()) return "";
  return number + 1 == 0 ? absl::StrCat(millis + 1, "-0") : absl::StrCat(millis, "-", number + 1);
}

}  // namespace

absl::StatusOr<bool> RedisStore::hold(const std::string& duty, const std::string& holder, Nanos length) {
  constexpr Nanos kMilli = 1'000'000;
  Pipeline ask;
  ask.add("EVALSHA", kHold.sha1, 1, keys_.duty(duty), holder, (length + kMilli - 1) / kMilli);
  const absl::StatusOr<Replies> replies = pool_.ask(ask);
  if (!replies.ok()) return within("hold a duty in", replies.status());
  return replies->back().number() == 1;
}

absl::StatusOr<Changes> RedisStore::changes(std::size_t limit) {
  Changes found;
  std::string from = "-";
  for (;;) {
    Pipeline ask;
    ask.add("XRANGE", keys_.changes(), from, "+", "COUNT", kEntriesAtOnce);
    const absl::StatusOr<Replies> replies = pool_.ask(ask);
    if (!replies.ok()) return within("read the changes of", replies.status());
    const ReplyView entries = replies->back();
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const ReplyView fields = entries[i][1];
      if (!found.items.empty() && found.items.size() + fields.size() / 2 > limit) {
        found.more = true;
        return found;
      }
      for (std::size_t at = 0; at + 1 < fields.size(); at += 2) {
        if (auto item = read_item(fields[at].text(), fields[at + 1].text())) found.items.push_back(*std::move(item));
      }
      found.upto = entries[i][0].text();
    }
    if (entries.size() < kEntriesAtOnce) return found;
    from = "(" + found.upto;
  }
}

absl::Status RedisStore::drop_changes(const std::string& upto) {
  if (upto.empty()) return absl::OkStatus();
  const std::string first_kept = id_behind(upto);
  if (first_kept.empty())
    return absl::InvalidArgumentError(absl::StrCat("no place in a list of changes: ", quoted(upto)));
  Pipeline ask;
  ask.add("XTRIM", keys_.changes(), "MINID", "=", first_kept);
  return within("drop changes of", pool_.ask(ask).status());
}

}  // namespace kleptometrics::aggregator::redis
