#include "aggregator/store/redis/finding_list.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "aggregator/store/redis/ordered.h"
#include "aggregator/store/redis/scripts.h"

namespace kleptometrics::aggregator::redis {
namespace {

constexpr std::size_t kAtOnce = 500;  // looked at in one step of the server

// The closing in 8 bytes, then the message of store.proto.
template <typename Finding>
std::string encode_kept(const Kept<Finding>& kept) {
  return bytes_of(static_cast<std::uint64_t>(kept.closing)) + encode(kept.finding);
}
template <typename Finding>
absl::StatusOr<Kept<Finding>> decode_kept(std::string_view bytes) {
  if (bytes.size() < 8) return absl::DataLossError("what is stored of an alert or a delay is cut off");
  absl::StatusOr<Finding> finding = decode(bytes.substr(8), static_cast<const Finding*>(nullptr));
  if (!finding.ok()) return finding.status();
  return Kept<Finding>{*std::move(finding), static_cast<std::int64_t>(number_of(bytes))};
}

template <typename Finding>
std::string place_of_finding(const Finding& finding) {
  return place_of(finding.opened_at, finding.id);
}

// One step down a list: what was looked at, in order, and where to go on; empty: it has come to its end.
template <typename Finding>
struct Step {
  std::vector<Kept<Finding>> items;
  std::int64_t closings = 0;
  std::string next;
};

template <typename Finding>
absl::StatusOr<Step<Finding>> step(Pool& pool, const Keys& keys, const FindingAsked& asked) {
  Pipeline ask;
  ask.add("EVALSHA", kFindings.sha1, 0, base_of(keys, static_cast<const Finding*>(nullptr)),
          asked.open ? "open" : "closed", asked.from, asked.to, kAtOnce,
          asked.open && asked.closings ? std::to_string(*asked.closings) : "");
  const absl::StatusOr<Replies> replies = pool.ask(ask);
  if (!replies.ok()) return replies.status();
  const ReplyView said = replies->back();
  Step<Finding> found;
  found.closings = said[0].number();
  const std::string last(said[2].text());
  if (static_cast<std::size_t>(said[1].number()) == kAtOnce) found.next = "(" + last;
  // Of those that closed late, the ones between here and the next step.
  const auto within = [&](std::string_view place) {
    const std::string_view from = std::string_view(asked.from).substr(1);
    const std::string_view to = std::string_view(asked.to).substr(1);
    return (from.empty() || place < from) && (to.empty() || place >= to) && (found.next.empty() || place >= std::string_view(last));
  };
  const auto values = static_cast<std::size_t>(said[3].number());
  for (std::size_t i = 4; i < said.size(); ++i) {
    absl::StatusOr<Kept<Finding>> kept = decode_kept<Finding>(said[i].text());
    if (!kept.ok()) return kept.status();
    if (i < 4 + values || within(place_of_finding(kept->finding))) found.items.push_back(*std::move(kept));
  }
  std::ranges::sort(found.items, [](const auto& a, const auto& b) {
    return place_of_finding(a.finding) > place_of_finding(b.finding);
  });
  return found;
}

// `from` and `to` of everything that the filter selects; behind the cursor, where that is in the same list.
template <typename Kind>
FindingAsked asked_of(const FindingFilter<Kind>& filter, bool open, const std::optional<FindingCursor>& after) {
  FindingAsked asked{open, "+", "-"};
  if (filter.until) asked.from = "(" + place_of(*filter.until);
  if (filter.since) asked.to = "[" + place_of(*filter.since);
  if (after && after->open == open) {
    const std::string place = "(" + place_of(after->opened_at, after->id);
    asked.from = asked.from == "+" ? place : std::min(asked.from, place);
  }
  return asked;
}

template <typename Finding>
void remove_from_lists(const std::string& base, const Kept<Finding>& kept, Transaction& out) {
  const Finding& finding = kept.finding;
  out.add(Command("ZREM", base + (finding.open() ? ":open" : ":closed"), place_of_finding(finding)));
  if (finding.closed_at) out.add(Command("ZREM", base + ":ended", place_of(*finding.closed_at, finding.id)));
}

template <typename Finding>
void put_into_lists(const std::string& base, const Kept<Finding>& kept, Transaction& out) {
  const Finding& finding = kept.finding;
  out.add(Command("HSET", base, finding.id.view(), encode_kept(kept)));
  out.add(Command("ZADD", base + (finding.open() ? ":open" : ":closed"), 0, place_of_finding(finding)));
  if (!finding.closed_at) return;
  out.add(Command("ZADD", base + ":ended", 0, place_of(*finding.closed_at, finding.id)));
  out.add(Command("ZADD", base + ":closing", kept.closing, finding.id.view()));
}

}  // namespace

template <typename Finding, typename Kind>
absl::StatusOr<FindingPage<Finding>> read_page(Pool& pool, const Keys& keys, const FindingFilter<Kind>& filter,
                                               const std::optional<FindingCursor>& after, std::size_t limit) {
  FindingPage<Finding> page;
  std::optional<std::int64_t> closings;
  if (after) closings = after->closings;
  bool last_open = true;
  for (const bool open : {true, false}) {
    if (filter.open && *filter.open != open) continue;
    if (after && !after->open && open) continue;
    FindingAsked asked = asked_of(filter, open, after);
    while (!asked.from.empty()) {
      if (!filter.open) asked.closings = closings;
      const absl::StatusOr<Step<Finding>> found = step<Finding>(pool, keys, asked);
      if (!found.ok()) return found.status();
      if (!closings) closings = found->closings;
      for (const Kept<Finding>& kept : found->items) {
        // Listed among the open ones already.
        if (!open && !filter.open && kept.closing > *closings) continue;
        if (!matches(filter, kept.finding)) continue;
        if (page.items.size() == limit) {
          const Finding& last = page.items.back();
          page.next = FindingCursor{last_open, last.opened_at, last.id, *closings};
          return page;
        }
        page.items.push_back(kept.finding);
        last_open = open;
      }
      asked.from = found->next;
    }
  }
  return page;
}

template <typename Finding, typename Kind>
absl::StatusOr<std::vector<FindingCount<Kind>>> count(Pool& pool, const Keys& keys, const FindingFilter<Kind>& filter) {
  std::map<std::pair<std::string, Kind>, std::uint64_t> counted;
  std::set<Uuid> seen;  // what closes between two steps is in both lists
  for (const bool open : {true, false}) {
    if (filter.open && *filter.open != open) continue;
    FindingAsked asked = asked_of(filter, open, std::nullopt);
    while (!asked.from.empty()) {
      const absl::StatusOr<Step<Finding>> found = step<Finding>(pool, keys, asked);
      if (!found.ok()) return found.status();
      for (const Kept<Finding>& kept : found->items) {
        if (matches(filter, kept.finding) && seen.insert(kept.finding.id).second)
          ++counted[{kept.finding.job, kept.finding.kind}];
      }
      asked.from = found->next;
    }
  }
  std::vector<FindingCount<Kind>> out;
  for (const auto& [key, number] : counted) out.push_back({key.first, key.second, number});
  return out;
}

template <typename Finding>
absl::StatusOr<std::optional<Finding>> read_one(Pool& pool, const Keys& keys, const Uuid& id) {
  Pipeline ask;
  ask.add("HGET", base_of(keys, static_cast<const Finding*>(nullptr)), id.view());
  const absl::StatusOr<Replies> replies = pool.ask(ask);
  if (!replies.ok()) return replies.status();
  if (replies->back().nil()) return std::optional<Finding>();
  absl::StatusOr<Kept<Finding>> kept = decode_kept<Finding>(replies->back().text());
  if (!kept.ok()) return kept.status();
  return std::optional<Finding>(std::move(kept->finding));
}

template <typename Finding>
absl::Status put_findings(Connection& connection, const Keys& keys, const std::vector<Finding>& incoming,
                          const std::vector<Uuid>& withdrawn, Transaction& out) {
  if (incoming.empty() && withdrawn.empty()) return absl::OkStatus();
  const std::string base = base_of(keys, static_cast<const Finding*>(nullptr));
  std::map<Uuid, std::optional<Kept<Finding>>> before;
  for (const Finding& finding : incoming) before[finding.id];
  for (const Uuid& id : withdrawn) before[id];
  Pipeline ask;
  ask.add("GET", base + ":closings");
  Command get("HMGET", base);
  for (const auto& [id, none] : before) get.add(id.view());
  ask.add(get);
  const absl::StatusOr<Replies> replies = connection.ask(ask);
  if (!replies.ok()) return replies.status();
  std::int64_t closings = (*replies)[0].number();
  std::size_t at = 0;
  out.expect(base + ":closings", (*replies)[0].text());
  for (auto& [id, kept] : before) {
    const ReplyView value = (*replies)[1][at++];
    out.expect_field(base, id.view(), value.text());
    if (value.nil()) continue;
    absl::StatusOr<Kept<Finding>> read = decode_kept<Finding>(value.text());
    if (read.ok()) kept = *std::move(read);  // what is damaged is replaced
  }
  auto after = before;
  for (const Finding& finding : incoming) {
    std::optional<Kept<Finding>>& kept = after[finding.id];
    if (kept) {
      kept->finding = merged(finding, kept->finding);
    } else {
      kept = Kept<Finding>{finding};
    }
    if (!kept->finding.open() && kept->closing == 0) kept->closing = ++closings;
  }
  for (const Uuid& id : withdrawn) after[id].reset();
  for (const auto& [id, was] : before) {
    const std::optional<Kept<Finding>>& is = after[id];
    if (was) remove_from_lists(base, *was, out);
    if (is) {
      put_into_lists(base, *is, out);
    } else {
      out.add(Command("HDEL", base, id.view()));
      out.add(Command("ZREM", base + ":closing", id.view()));
    }
  }
  out.add(Command("SET", base + ":closings", closings));
  return absl::OkStatus();
}

template <typename Finding>
absl::StatusOr<std::size_t> expire_some_findings(Writer& writer, const Keys& keys, Nanos horizon, std::size_t most) {
  const std::string base = base_of(keys, static_cast<const Finding*>(nullptr));
  std::size_t removed = 0;
  const absl::Status status = writer.write([&](Connection& connection) -> absl::StatusOr<bool> {
    Pipeline ask;
    ask.add("ZRANGEBYLEX", base + ":ended", "-", "(" + place_of(horizon), "LIMIT", 0, most);
    const absl::StatusOr<Replies> replies = connection.ask(ask);
    if (!replies.ok()) return replies.status();
    const ReplyView ended = replies->back();
    removed = ended.size();
    if (removed == 0) return true;
    Command get("HMGET", base);
    for (std::size_t i = 0; i < removed; ++i) get.add(id_of_place(ended[i].text()).view());
    Pipeline ask_values;
    ask_values.add(get);
    const absl::StatusOr<Replies> values = connection.ask(ask_values);
    if (!values.ok()) return values.status();
    Transaction out;
    Command ids, places, lists;
    for (std::size_t i = 0; i < removed; ++i) {
      ids.add(id_of_place(ended[i].text()).view());
      places.add(ended[i].text());
      out.expect_field(base, id_of_place(ended[i].text()).view(), values->back()[i].text());
      const absl::StatusOr<Kept<Finding>> kept = decode_kept<Finding>(values->back()[i].text());
      if (kept.ok()) lists.add(place_of_finding(kept->finding));
    }
    out.add(Command("HDEL", base), ids);
    out.add(Command("ZREM", base + ":closing"), ids);
    out.add(Command("ZREM", base + ":ended"), places);
    if (lists.count() != 0) out.add(Command("ZREM", base + ":closed"), lists);
    return out.execute(connection);
  });
  if (!status.ok()) return status;
  return removed;
}

template absl::StatusOr<DelayPage> read_page(Pool&, const Keys&, const DelayFilter&,
                                             const std::optional<FindingCursor>&, std::size_t);
template absl::StatusOr<AlertPage> read_page(Pool&, const Keys&, const AlertFilter&,
                                             const std::optional<FindingCursor>&, std::size_t);
template absl::StatusOr<DelayCounts> count<Delay>(Pool&, const Keys&, const DelayFilter&);
template absl::StatusOr<AlertCounts> count<Alert>(Pool&, const Keys&, const AlertFilter&);
template absl::StatusOr<std::optional<Alert>> read_one(Pool&, const Keys&, const Uuid&);
template absl::Status put_findings(Connection&, const Keys&, const std::vector<Delay>&, const std::vector<Uuid>&,
                                   Transaction&);
template absl::Status put_findings(Connection&, const Keys&, const std::vector<Alert>&, const std::vector<Uuid>&,
                                   Transaction&);
template absl::StatusOr<std::size_t> expire_some_findings<Delay>(Writer&, const Keys&, Nanos, std::size_t);
template absl::StatusOr<std::size_t> expire_some_findings<Alert>(Writer&, const Keys&, Nanos, std::size_t);

}  // namespace kleptometrics::aggregator::redis
