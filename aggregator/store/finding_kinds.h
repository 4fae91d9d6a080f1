// Delays and alerts as back ends keep them that have both in one table: what tells them apart there, and how their
// bytes are read and written. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "aggregator/model/alert.h"
#include "aggregator/wire/findings.h"

namespace kleptometrics::aggregator {

struct Delays {
  using Finding = Delay;
  using Kind = DelayKind;
  static constexpr std::int64_t kWhat = 1;  // in the column `what`: it never changes
  static constexpr const char* kName = "delay ";
  static std::string encode(const Delay& delay) { return wire::encode_delay(delay); }
  static absl::StatusOr<Delay> decode(std::string_view bytes) { return wire::decode_delay(bytes); }
};
struct Alerts {
  using Finding = Alert;
  using Kind = AlertKind;
  static constexpr std::int64_t kWhat = 2;
  static constexpr const char* kName = "alert ";
  static std::string encode(const Alert& alert) { return wire::encode_alert(alert); }
  static absl::StatusOr<Alert> decode(std::string_view bytes) { return wire::decode_alert(bytes); }
};

}  // namespace kleptometrics::aggregator
