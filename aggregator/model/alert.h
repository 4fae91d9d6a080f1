// What went wrong with a job, as readers are told: plain values, made by aggregator/rules, kept by the store, listed by
// aggregator/query. Both kinds of record open once and close once; what is open may still change.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/uuid.h"

namespace kleptometrics::aggregator {

// An occurrence or a run that is, or was, behind its time.
enum class DelayKind : std::uint8_t {
  kLateStart = 1,  // started later than its time and grace
  kMissed,         // has not started by its time and grace; becomes kLateStart where it still does
  kOverrun,        // runs longer than max_duration
};

struct Delay {
  Uuid id;  // made of the job and the occurrence, or the run: the same whoever finds it, however often
  DelayKind kind = DelayKind::kMissed;
  std::string job;
  Uuid run_id;  // none() of kMissed
  std::optional<Nanos> scheduled_at{};
  Nanos expected = 0;             // of a start: the grace; of an overrun: the allowed duration
  std::optional<Nanos> actual{};  // the measured delay or duration; absent while it is not known
  Nanos opened_at = 0;
  std::optional<Nanos> closed_at{};  // absent: open
  bool open() const { return !closed_at; }
  bool operator==(const Delay&) const = default;
};

enum class AlertKind : std::uint8_t { kFailed = 1, kCrashed, kLateStart, kMissed, kOverrun, kTooShort, kSlower };

struct Alert {
  Uuid id;  // made of the job, the kind and what opened it
  AlertKind kind = AlertKind::kFailed;
  std::string job;
  Uuid run_id;  // that opened it; none(): no run did
  Nanos opened_at = 0;
  std::optional<Nanos> closed_at{};        // absent: open
  std::optional<Nanos> acknowledged_at{};  // by somebody; changes nothing else
  std::string message{};                   // a sentence, with its arithmetic
  std::optional<Nanos> expected{};
  std::optional<Nanos> actual{};
  bool open() const { return !closed_at; }
  bool operator==(const Alert&) const = default;
};

// `late_start` and so on, as the API spells them; `unknown` for a value that is no enumerator. The way back
// answers nullopt for any other spelling.
std::string_view name_of(DelayKind kind);
std::string_view name_of(AlertKind kind);
std::optional<DelayKind> delay_kind_of(std::string_view name);
std::optional<AlertKind> alert_kind_of(std::string_view name);

}  // namespace kleptometrics::aggregator
