// Delays and alerts as the server keeps them, and how lists of them are read: see README.md. Functions of what they are
// given; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "aggregator/store/findings.h"
#include "aggregator/store/redis/connection.h"
#include "aggregator/store/redis/keys.h"
#include "aggregator/store/redis/pool.h"
#include "aggregator/wire/findings.h"

namespace kleptometrics::aggregator::redis {

// What tells the two kinds apart.
inline std::string base_of(const Keys& keys, const Delay*) { return keys.name("delays"); }
inline std::string base_of(const Keys& keys, const Alert*) { return keys.name("alerts"); }
inline std::string encode(const Delay& delay) { return wire::encode_delay(delay); }
inline std::string encode(const Alert& alert) { return wire::encode_alert(alert); }
inline absl::StatusOr<Delay> decode(std::string_view bytes, const Delay*) { return wire::decode_delay(bytes); }
inline absl::StatusOr<Alert> decode(std::string_view bytes, const Alert*) { return wire::decode_alert(bytes); }

// A finding, and how many of its kind had closed when it had; 0: it is open.
template <typename Finding>
struct Kept {
  Finding finding;
  std::int64_t closing = 0;
};

// One list that is read from the newest place down, some at a time; of open ones those that closed late are among them.
struct FindingAsked {
  bool open = true;
  std::string from, to;                    // in the way of ZREVRANGEBYLEX
  std::optional<std::int64_t> closings{};  // those that closed later count as open
};
template <typename Finding>
using FindingVisit = absl::FunctionRef<bool(Kept<Finding>&&)>;

// Store::delays() and Store::alerts(), of a limit that is not 0.
template <typename Finding, typename Kind>
absl::StatusOr<FindingPage<Finding>> read_page(Pool& pool, const Keys& keys, const FindingFilter<Kind>& filter,
                                               const std::optional<FindingCursor>& after, std::size_t limit);
template <typename Finding, typename Kind>
absl::StatusOr<std::vector<FindingCount<Kind>>> count(Pool& pool, const Keys& keys, const FindingFilter<Kind>& filter);
// nullopt if there is none.
template <typename Finding>
absl::StatusOr<std::optional<Finding>> read_one(Pool& pool, const Keys& keys, const Uuid& id);

// Reads what is stored of some, on the connection of a transaction, and adds to it what is to be kept instead.
template <typename Finding>
absl::Status put_findings(Connection& connection, const Keys& keys, const std::vector<Finding>& incoming,
                          const std::vector<Uuid>& withdrawn, Pipeline& out);
// Removes some of those that closed before the instant. How many; Unavailable if somebody else was faster.
template <typename Finding>
absl::StatusOr<std::size_t> expire_some_findings(Writer& writer, const Keys& keys, Nanos horizon, std::size_t most);

extern template absl::StatusOr<DelayPage> read_page(Pool&, const Keys&, const DelayFilter&,
                                                    const std::optional<FindingCursor>&, std::size_t);
extern template absl::StatusOr<AlertPage> read_page(Pool&, const Keys&, const AlertFilter&,
                                                    const std::optional<FindingCursor>&, std::size_t);
extern template absl::StatusOr<DelayCounts> count<Delay>(Pool&, const Keys&, const DelayFilter&);
extern template absl::StatusOr<AlertCounts> count<Alert>(Pool&, const Keys&, const AlertFilter&);
extern template absl::StatusOr<std::optional<Alert>> read_one(Pool&, const Keys&, const Uuid&);
extern template absl::Status put_findings(Connection&, const Keys&, const std::vector<Delay>&, const std::vector<Uuid>&,
                                          Pipeline&);
extern template absl::Status put_findings(Connection&, const Keys&, const std::vector<Alert>&, const std::vector<Uuid>&,
                                          Pipeline&);
extern template absl::StatusOr<std::size_t> expire_some_findings<Delay>(Writer&, const Keys&, Nanos, std::size_t);
extern template absl::StatusOr<std::size_t> expire_some_findings<Alert>(Writer&, const Keys&, Nanos, std::size_t);

}  // namespace kleptometrics::aggregator::redis
