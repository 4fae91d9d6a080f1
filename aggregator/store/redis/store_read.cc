// What readers ask of runs and jobs.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregator/base/log.h"
#include "aggregator/store/redis/ordered.h"
#include "aggregator/store/redis/record.h"
#include "aggregator/store/redis/scripts.h"
#include "aggregator/store/redis/store.h"
#include "aggregator/store/rules.h"
#include "aggregator/wire/job_spec.h"

namespace kleptometrics::aggregator::redis {
namespace {

constexpr std::size_t kPageRunsMax = 1'000;  // looked at in one step of the server, for a page
constexpr std::size_t kPageRunsMin = 100;    // where a filter passes over some
constexpr std::size_t kScanRuns = 10'000;    // likewise, for all that there are
constexpr std::size_t kJobsAtOnce = 64;      // asked about in one round trip
constexpr int kDamagedToldMax = 10;

// The first bytes of records in one of the states; empty: of any.
std::string bytes_of(const std::vector<State>& states) {
  std::string bytes;
  for (const State state : states) bytes += state_byte(state);
  return bytes;
}

// Which of the three lists has all that the filter can select, and the fewest others.
enum class List { kAll, kBad, kOpen };
List list_of(const RunFilter& filter) {
  if (filter.states.empty()) return List::kAll;
  if (std::ranges::all_of(filter.states, [](State state) { return state == State::kRunning; })) return List::kOpen;
  const auto bad = [](State state) { return terminal(state) && state != State::kSucceeded; };
  return std::ranges::all_of(filter.states, bad) ? List::kBad : List::kAll;
}

std::string key_of(const Keys& keys, const RunFilter& filter) {
  const bool of_job = !filter.job.empty();
  switch (list_of(filter)) {
    case List::kBad:
      return of_job ? keys.bad(filter.job) : keys.bad();
    case List::kOpen:
      return of_job ? keys.open(filter.job) : keys.open();
    case List::kAll:
      break;
  }
  return of_job ? keys.starts(filter.job) : keys.all();
}

// Where a walk down from behind the cursor begins, in the way of ZREVRANGEBYLEX.
std::string beginning(const RunFilter& filter, const std::optional<RunCursor>& after) {
  std::optional<std::string> place;
  if (after) place = place_of(after->started_at, after->id);
  if (filter.until) {
    const std::string until = place_of(*filter.until);
    place = place ? std::min(*place, until) : until;
  }
  return place ? "(" + *place : "+";
}

}  // namespace

void RedisStore::leave_out(const absl::Status& why) {
  const Lock lock(damage_mutex_);
  if (damaged_told_ == kDamagedToldMax) return;
  ++damaged_told_;
  log_error(absl::StrCat("left out of answers: ", within("read", why).message()));
}

absl::StatusOr<std::optional<Run>> RedisStore::run(const Uuid& id) {
  Pipeline ask_claim;
  ask_claim.add("GET", keys_.id(id));
  const absl::StatusOr<Replies> claimed = pool_.ask(ask_claim);
  if (!claimed.ok()) return within("read", claimed.status());
  if (claimed->back().nil()) return std::optional<Run>();
  const std::optional<Claim> claim = decode_claim(claimed->back().text());
  if (!claim) return within("read", absl::UnknownError("what is stored of " + id.text() + " is damaged"));
  if (claim->gone) return std::optional<Run>();
  Pipeline ask;
  ask.add("HGET", keys_.runs(claim->job), id.view());
  ask.add("GET", keys_.id(id));
  const absl::StatusOr<Replies> found = pool_.ask(ask);
  if (!found.ok()) return within("read", found.status());
  if ((*found)[0].nil() && (*found)[1].text() != claimed->back().text()) return std::optional<Run>();  // just expired
  absl::StatusOr<Record> record = decode_record((*found)[0].text());
  if (!record.ok()) return within("read", record.status());
  return std::optional<Run>(std::move(record->run));
}

absl::Status RedisStore::walk(const RunFilter& filter, const std::optional<RunCursor>& after, std::size_t at_once,
                              Visit visit) {
  const std::string key = key_of(keys_, filter);
  const std::string end = filter.since ? "[" + place_of(*filter.since) : "-";
  std::string from = beginning(filter, after);
  for (;;) {
    Pipeline ask;
    ask.add("EVALSHA", kPage.sha1, 1, key, from, end, at_once, bytes_of(filter.states), keys_.prefix(), filter.job);
    const absl::StatusOr<Replies> replies = pool_.ask(ask);
    if (!replies.ok()) return within("read", replies.status());
    const ReplyView page = replies->back();
    for (std::size_t i = 2; i < page.size(); ++i) {
      absl::StatusOr<Record> record = decode_record(page[i].text());
      if (!record.ok()) {
        leave_out(record.status());
      } else if (matches(filter, record->run) && !visit(std::move(record->run))) {
        return absl::OkStatus();
      }
    }
    if (page[0].number() < static_cast<std::int64_t>(at_once)) return absl::OkStatus();
    from = "(" + std::string(page[1].text());
  }
}

absl::StatusOr<RunPage> RedisStore::runs(const RunFilter& filter, const std::optional<RunCursor>& after,
                                         std::size_t limit) {
  if (limit == 0) return absl::InvalidArgumentError("limit is 0; a page has at least one run");
  const bool passes_over = !filter.host.empty() || !filter.version.empty() || !filter.build_id.empty() ||
                           !filter.labels.empty() || !filter.states.empty();
  const std::size_t wanted = std::min(limit, kPageRunsMax) + 1;
  RunPage page;
  const absl::Status status =
      walk(filter, after, passes_over ? std::max(wanted, kPageRunsMin) : wanted, [&](Run&& run) {
        if (page.runs.size() == limit) {
          page.next = RunCursor{page.runs.back().started_at, page.runs.back().id};
          return false;
        }
        page.runs.push_back(std::move(run));
        return true;
      });
  if (!status.ok()) return status;
  return page;
}

absl::Status RedisStore::scan(const RunFilter& filter, absl::FunctionRef<void(const Run&)> visit) {
  return walk(filter, std::nullopt, kScanRuns, [&](Run&& run) {
    visit(run);
    return true;
  });
}

absl::StatusOr<std::vector<std::string>> RedisStore::job_names() {
  Pipeline ask;
  ask.add("ZRANGE", keys_.jobs(), 0, -1);
  const absl::StatusOr<Replies> replies = pool_.ask(ask);
  if (!replies.ok()) return replies.status();
  std::vector<std::string> names;
  for (std::size_t i = 0; i < replies->back().size(); ++i) names.emplace_back(replies->back()[i].text());
  return names;
}

absl::StatusOr<std::vector<JobHead>> RedisStore::jobs(const std::string& name) {
  absl::StatusOr<std::vector<std::string>> names = std::vector<std::string>{name};
  if (name.empty()) {
    names = job_names();
    if (!names.ok()) return within("read", names.status());
  }
  std::vector<JobHead> heads;
  heads.reserve(names->size());
  for (std::size_t from = 0; from < names->size(); from += kJobsAtOnce) {
    const std::size_t end = std::min(names->size(), from + kJobsAtOnce);
    Pipeline ask;
    for (std::size_t i = from; i < end; ++i) {
      ask.add("ZSCORE", keys_.jobs(), (*names)[i]);
      ask.add("EVALSHA", kHead.sha1, 0, keys_.of_job((*names)[i], ""));
    }
    const absl::StatusOr<Replies> replies = pool_.ask(ask);
    if (!replies.ok()) return within("read", replies.status());
    for (std::size_t i = from; i < end; ++i) {
      if ((*replies)[2 * (i - from)].nil()) continue;  // not known
      const ReplyView said = (*replies)[2 * (i - from) + 1];
      absl::StatusOr<JobSpec> spec = wire::decode_job_spec(said[0].text());
      if (!spec.ok()) return within("read", spec.status());
      JobHead& head = heads.emplace_back(JobHead{(*names)[i], *std::move(spec)});
      if (!said[1].text().empty()) {
        const absl::StatusOr<Record> newest = decode_record(said[1].text());
        if (newest.ok()) head.last_run = without_steps(newest->run);
        if (!newest.ok()) leave_out(newest.status());
      }
      if (!said[2].text().empty()) head.last_verdict = static_cast<State>(said[2].text()[0] - '0');
      head.running = said[3].number() != 0;
    }
  }
  return heads;
}

absl::StatusOr<Nanos> RedisStore::complete_since(const std::string& job) {
  Pipeline ask;
  ask.add("HGET", job.empty() ? keys_.complete_since() : keys_.facts(job), "since");
  const absl::StatusOr<Replies> replies = pool_.ask(ask);
  if (!replies.ok()) return within("read", replies.status());
  if (replies->back().nil()) return std::numeric_limits<Nanos>::min();
  return lowered(~number_of_hex(replies->back().text()));
}

}  // namespace kleptometrics::aggregator::redis
