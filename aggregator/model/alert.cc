#include "aggregator/model/alert.h"

#include <array>

#include "aggregator/model/names.h"

namespace kleptometrics::aggregator {
namespace {

constexpr std::array<std::string_view, 4> kDelayKinds = {"", "late_start", "missed", "overrun"};
constexpr std::array<std::string_view, 8> kAlertKinds = {"",       "failed",  "crashed",   "late_start",
                                                         "missed", "overrun", "too_short", "slower"};

}  // namespace

std::string_view name_of(DelayKind kind) { return name_in(kDelayKinds, kind); }
std::string_view name_of(AlertKind kind) { return name_in(kAlertKinds, kind); }
std::optional<DelayKind> delay_kind_of(std::string_view name) { return value_in<DelayKind>(kDelayKinds, name); }
std::optional<AlertKind> alert_kind_of(std::string_view name) { return value_in<AlertKind>(kAlertKinds, name); }

}  // namespace kleptometrics::aggregator
