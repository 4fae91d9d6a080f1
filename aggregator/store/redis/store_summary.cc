// What runs add up to, as readers ask for it: of each job in one step of the server.
#include <algorithm>
#include <array>

#include "aggregator/store/redis/ordered.h"
#include "aggregator/store/redis/record.h"
#include "aggregator/store/redis/rollup_hash.h"
#include "aggregator/store/redis/scripts.h"
#include "aggregator/store/redis/store.h"
#include "aggregator/store/rules.h"

namespace kleptometrics::aggregator::redis {
namespace {

using stats::Resolution;

constexpr std::size_t kJobsAtOnce = 32;  // asked about in one round trip

Nanos ceiling(Nanos at, Nanos length) { return at / length + (at % length > 0 ? 1 : 0); }

// The arguments of the script kSummary.
void add_stretch(const Stretch& stretch, Command& out) {
  if (stretch.by == Stretch::By::kRuns) {
    out.add("r").add("[" + place_of(stretch.since)).add("(" + place_of(stretch.until)).add("0");
  } else if (stretch.by == Stretch::By::kAll) {
    out.add("a").add("0").add("0").add("0");
  } else {
    const Nanos length = Keys::length_of(resolution_of(stretch.by));
    out.add(stretch.by == Stretch::By::kHour ? "h" : "d");
    out.add(ceiling(stretch.since, length)).add("(" + std::to_string(ceiling(stretch.until, length))).add("0");
  }
}

Nanos start_of_piece(std::string_view kind, std::int64_t number) {
  return kind == "h" ? number * stats::kHour : kind == "d" ? number * stats::kDay : 0;
}

}  // namespace

absl::Status RedisStore::summarize(const SummaryRequest& request, Pieces& pieces) {
  absl::StatusOr<std::vector<std::string>> names = std::vector<std::string>{request.job};
  if (request.job.empty()) names = job_names();
  if (!names.ok()) return within("read", names.status());
  const stats::Series durations;
  const std::string other = request.series.durations() ? "" : text_of(request.series);
  const auto give = [&](const std::string& job, ReplyView piece) {
    const std::string_view kind = piece[0].text();
    if (kind == "r") {
      for (std::size_t i = 1; i < piece.size(); ++i) {
        const absl::StatusOr<Record> record = decode_record(piece[i].text());
        if (record.ok()) pieces.run(record->run);
        if (!record.ok()) leave_out(record.status());
      }
      return;
    }
    const Nanos start = start_of_piece(kind, piece[1].number());
    pieces.rollup(job, start, durations, read_rollup(piece[2], durations));
    if (piece[3].size() != 0) pieces.rollup(job, start, request.series, read_rollup(piece[3], request.series));
  };
  Command stretches;
  for (const Stretch& stretch : request.stretches) add_stretch(stretch, stretches);
  for (std::size_t from = 0; from < names->size(); from += kJobsAtOnce) {
    const std::size_t end = std::min(names->size(), from + kJobsAtOnce);
    Pipeline ask;
    for (std::size_t i = from; i < end; ++i)
      ask.add("EVALSHA", kSummary.sha1, 0, keys_.of_job((*names)[i], ""), other, stretches);
    const absl::StatusOr<Replies> replies = pool_.ask(ask);
    if (!replies.ok()) return within("read", replies.status());
    for (std::size_t i = from; i < end; ++i) {
      const ReplyView found = (*replies)[i - from];
      for (std::size_t at = 0; at < found.size(); ++at) give((*names)[i], found[at]);
    }
  }
  return absl::OkStatus();
}

}  // namespace kleptometrics::aggregator::redis
