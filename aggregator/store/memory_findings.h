// The delays or the alerts of a MemoryStore. One thread at a time: the store's lock is around it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "aggregator/store/findings.h"

namespace kleptometrics::aggregator {

template <typename Finding, typename Kind>
class MemoryFindings {
 public:
  void put(Finding incoming) {
    auto [at, added] = kept_.try_emplace(incoming.id);
    Kept& kept = at->second;
    kept.finding = added ? std::move(incoming) : merged(std::move(incoming), kept.finding);
    if (!kept.finding.open() && kept.closing == 0) kept.closing = ++closings_;
  }

  void remove(const Uuid& id) { kept_.erase(id); }

  std::optional<Finding> find(const Uuid& id) const {
    const auto found = kept_.find(id);
    return found == kept_.end() ? std::nullopt : std::optional<Finding>(found->second.finding);
  }

  // Store::alerts(), of a limit that is not 0.
  FindingPage<Finding> page(const FindingFilter<Kind>& filter, const std::optional<FindingCursor>& after,
                            std::size_t limit) const {
    const std::int64_t closings = after ? after->closings : closings_;
    std::vector<std::pair<Position, const Finding*>> found;
    for (const auto& [id, kept] : kept_) {
      if (!matches(filter, kept.finding)) continue;
      const bool open = filter.open.value_or(kept.closing == 0 || kept.closing > closings);
      const Position position{open, kept.finding.opened_at, id};
      if (!after || position < Position{after->open, after->opened_at, after->id})
        found.emplace_back(position, &kept.finding);
    }
    std::ranges::sort(found, std::greater<>());
    FindingPage<Finding> page;
    for (const auto& [position, finding] : found) {
      if (page.items.size() == limit) {
        const auto& [open, opened_at, id] = found[limit - 1].first;
        page.next = FindingCursor{open, opened_at, id, closings};
        break;
      }
      page.items.push_back(*finding);
    }
    return page;
  }

  std::vector<FindingCount<Kind>> counts(const FindingFilter<Kind>& filter) const {
    std::map<std::pair<std::string, Kind>, std::uint64_t> counted;
    for (const auto& [id, kept] : kept_) {
      if (matches(filter, kept.finding)) ++counted[{kept.finding.job, kept.finding.kind}];
    }
    std::vector<FindingCount<Kind>> out;
    for (const auto& [key, count] : counted) out.push_back({key.first, key.second, count});
    return out;
  }

  // Removes what closed before the instant.
  void expire(Nanos horizon) {
    std::erase_if(kept_, [horizon](const auto& each) {
      const Finding& finding = each.second.finding;
      return finding.closed_at && *finding.closed_at < horizon;
    });
  }

 private:
  using Position = std::tuple<bool, Nanos, Uuid>;  // the greatest comes first
  struct Kept {
    Finding finding;
    std::int64_t closing = 0;  // how many had closed when it had; 0: it is open
  };
  std::map<Uuid, Kept> kept_;
  std::int64_t closings_ = 0;
};

}  // namespace kleptometrics::aggregator
