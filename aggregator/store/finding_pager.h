// How a page of findings is put together from the three parts in which back ends read them: the pure part of delays()
// and alerts(), for back ends that read rows in order. One thread; for the time of one page.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "aggregator/store/findings.h"

namespace kleptometrics::aggregator {

// Of the order in which findings closed: those that have not, and those that did after, or until, a count of closings.
enum class FindingPart { kOpen, kClosedSince, kClosedUntil };

// What is before this in the order of opening is read. Without an id: what opened before the instant.
struct FindingsBefore {
  Nanos opened_at = std::numeric_limits<Nanos>::max();
  Uuid id{};
  bool operator<(const FindingsBefore& other) const {
    return std::tie(opened_at, id) < std::tie(other.opened_at, other.id);
  }
};

template <typename Finding, typename Kind>
class FindingPager {
 public:
  // What is to be read: at most `most` that the filter selects, the newest opened first, to be added to `found`.
  struct Wanted {
    FindingPart part = FindingPart::kOpen;
    std::int64_t closings = 0;  // that the parts of the closed are divided by
    FindingsBefore before{};
    std::size_t most = 0;
  };
  using Read = absl::FunctionRef<absl::Status(const Wanted& wanted, std::vector<Finding>& found)>;

  // Borrows all of it.
  FindingPager(const FindingFilter<Kind>& filter, const std::optional<FindingCursor>& after, std::size_t limit,
               Read read)
      : filter_(filter), after_(after), limit_(limit), read_(read) {}

  // `closings`: how many have closed by now.
  absl::StatusOr<FindingPage<Finding>> fill(std::int64_t closings) {
    closings_ = after_ ? after_->closings : closings;
    absl::Status status;
    if (filter_.open != false && (!after_ || after_->open)) status = add(true);
    if (status.ok() && filter_.open != true && !page_.next) status = add(false);
    if (!status.ok()) return status;
    return std::move(page_);
  }

 private:
  // The part of the list that was open when it began, or the part that was closed.
  absl::Status add(bool open) {
    std::vector<Finding> found;
    absl::Status status;
    if (open) {
      status = read(FindingPart::kOpen, open, found);
      if (status.ok() && !filter_.open) status = read(FindingPart::kClosedSince, open, found);
    } else {
      if (filter_.open) closings_ = std::numeric_limits<std::int64_t>::max();
      status = read(FindingPart::kClosedUntil, open, found);
    }
    if (!status.ok()) return status;
    std::ranges::sort(found, [](const Finding& a, const Finding& b) {
      return std::tie(a.opened_at, a.id) > std::tie(b.opened_at, b.id);
    });
    for (Finding& each : found) {
      if (page_.items.size() == limit_) {
        page_.next = last_;
        break;
      }
      last_ = {open, each.opened_at, each.id, closings_};
      page_.items.push_back(std::move(each));
    }
    return status;
  }

  // One more than the page has room for, so that it is known whether any is left.
  absl::Status read(FindingPart part, bool open, std::vector<Finding>& found) {
    Wanted wanted{part, closings_, {filter_.until.value_or(std::numeric_limits<Nanos>::max())}};
    if (after_ && after_->open == open)
      wanted.before = std::min(wanted.before, FindingsBefore{after_->opened_at, after_->id});
    wanted.most = limit_ - page_.items.size() + 1;
    return read_(wanted, found);
  }

  const FindingFilter<Kind>& filter_;
  const std::optional<FindingCursor>& after_;
  const std::size_t limit_;
  const Read read_;
  std::int64_t closings_ = 0;
  FindingCursor last_;
  FindingPage<Finding> page_;
};

}  // namespace kleptometrics::aggregator
