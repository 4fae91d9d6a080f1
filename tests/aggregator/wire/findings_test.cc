// Delays and alerts as a store keeps them.
#include "aggregator/wire/findings.h"

#include <limits>

#include "tests/fakes/findings.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::wire {
namespace {

using fakes::closed;
using fakes::delayed;
using fakes::id_of;
using fakes::kStart;
using fakes::raised;

TEST_CASE("a delay comes back as it was, with all fields and with few") {
  Delay delay = closed(delayed("import", 1, kStart, DelayKind::kLateStart), std::numeric_limits<Nanos>::max());
  delay.run_id = id_of(2);
  delay.actual = -5;
  CHECK(*decode_delay(encode_delay(delay)) == delay);
  Delay bare;
  bare.opened_at = std::numeric_limits<Nanos>::min();
  CHECK(*decode_delay(encode_delay(bare)) == bare);
  bare.scheduled_at = 0;
  bare.actual = 0;
  bare.closed_at = 0;
  CHECK(*decode_delay(encode_delay(bare)) == bare);
}

TEST_CASE("an alert comes back as it was, with all fields and with few") {
  Alert alert = closed(raised("import", 1, kStart, AlertKind::kSlower), kStart + 1);
  alert.run_id = id_of(2);
  alert.acknowledged_at = kStart - 1;
  alert.expected = -1;
  alert.actual = std::numeric_limits<Nanos>::max();
  CHECK(*decode_alert(encode_alert(alert)) == alert);
  Alert bare;
  CHECK(*decode_alert(encode_alert(bare)) == bare);
  bare.acknowledged_at = 0;
  bare.expected = 0;
  bare.actual = 0;
  CHECK(*decode_alert(encode_alert(bare)) == bare);
}

TEST_CASE("bytes that are no finding, or of a kind that is not known, are refused") {
  CHECK(absl::IsDataLoss(decode_alert("\xff").status()));
  CHECK(absl::IsDataLoss(decode_alert("").status()));
  CHECK(absl::IsDataLoss(decode_delay("").status()));
  Alert alert = raised("import", 1);
  alert.kind = static_cast<AlertKind>(8);
  CHECK(absl::IsDataLoss(decode_alert(encode_alert(alert)).status()));
  Delay delay = delayed("import", 1);
  delay.kind = static_cast<DelayKind>(4);
  CHECK(absl::IsDataLoss(decode_delay(encode_delay(delay)).status()));
  const std::string whole = encode_alert(raised("import", 1));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const auto read = decode_alert(std::string_view(whole).substr(0, length));  // an error, or fewer fields
    if (read.ok()) CHECK(*read != raised("import", 1));
  }
}

}  // namespace
}  // namespace kleptometrics::aggregator::wire
