#include "aggregator/http/json_value.h"

#include <cmath>
#include <cstddef>
#include <set>
#include <vector>

#include "aggregator/http/time_text.h"
#include "aggregator/model/utf8.h"

namespace kleptometrics::aggregator::http {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kDetailBytesMax = 300;  // the library's messages quote what was read last, however long
constexpr std::size_t kPathBytesMax = 250;

// Thrown through the JSON parser, which has no other way to be stopped.
struct Refused {
  std::string detail;
};

// Watches the parser's events for what the grammar allows and we do not.
class Watch {
 public:
  bool operator()(int depth, Json::parse_event_t event, const Json& parsed) {
    switch (event) {
      case Json::parse_event_t::object_start:
        keys_.emplace_back();
        [[fallthrough]];
      case Json::parse_event_t::array_start:
        if (depth >= kDepthMax) throw Refused{"nested deeper than " + std::to_string(kDepthMax) + " levels"};
        break;
      case Json::parse_event_t::key: {
        const auto& key = parsed.get_ref<const std::string&>();
        if (!keys_.back().insert(key).second)
          throw Refused{"the key " + aggregator::quoted(key) + " stands twice in one object"};
        break;
      }
      case Json::parse_event_t::object_end:
        keys_.pop_back();
        break;
      default:
        break;
    }
    return true;
  }

 private:
  std::vector<std::set<std::string>> keys_;  // of the objects that are open
};

// `[json.exception.parse_error.101] parse error at line 1, column 2: …` without its first word.
FieldError malformed(std::string_view what) {
  if (const auto end = what.find("] "); end != std::string_view::npos) what.remove_prefix(end + 2);
  return {"", "malformed JSON: " + std::string(what.substr(0, kDetailBytesMax))};
}

std::string range_text(const std::string& min, const std::string& max) {
  return " must be a whole number from " + min + " to " + max;
}

}  // namespace

Parsed<Json> parse_json(std::string_view text) {
  try {
    Watch watch;
    return Json::parse(text.begin(), text.end(), [&watch](int depth, Json::parse_event_t event, Json& parsed) {
      return watch(depth, event, parsed);
    });
  } catch (const Refused& refused) {
    return malformed(refused.detail);
  } catch (const Json::exception& error) {
    return malformed(error.what());
  }
}

std::string Value::shown() const {
  if (path_.empty()) return "the JSON value";
  return "\"" + (path_.size() > kPathBytesMax ? path_.substr(0, kPathBytesMax) + "..." : path_) + "\"";
}

void Value::fail(std::string detail) const {
  if (error_) return;
  error_ = FieldError{path_.substr(0, kPathBytesMax), std::move(detail)};
}

bool Value::is(bool right, std::string_view wanted) const {
  if (right) return true;
  fail((path_.empty() ? "" : "field ") + shown() + " must be " + std::string(wanted) + ", got " + json_.type_name());
  return false;
}

std::string Value::text() const { return is(json_.is_string(), "a string") ? json_.get<std::string>() : std::string(); }

double Value::number() const { return is(json_.is_number(), "a number") ? json_.get<double>() : 0.0; }

std::uint64_t Value::count(std::uint64_t max) const {
  if (!is(json_.is_number(), "a number")) return 0;
  constexpr double kEnd = 18446744073709551616.0;  // 2^64
  std::optional<std::uint64_t> value;
  if (json_.is_number_unsigned()) {
    value = json_.get<std::uint64_t>();
  } else if (json_.is_number_float()) {  // 3.0 and 1e6 are whole numbers too
    const double given = json_.get<double>();
    if (given >= 0 && given < kEnd && std::trunc(given) == given) value = static_cast<std::uint64_t>(given);
  }
  if (value && *value <= max) return *value;
  fail("field " + shown() + range_text("0", std::to_string(max)));
  return 0;
}

std::int64_t Value::integer(std::int64_t min, std::int64_t max) const {
  if (!is(json_.is_number(), "a number")) return 0;
  std::optional<std::int64_t> value;
  const double given = json_.get<double>();
  if (given >= -9.2e18 && given <= 9.2e18 && std::trunc(given) == given) value = json_.get<std::int64_t>();
  if (value && *value >= min && *value <= max) return *value;
  fail("field " + shown() + range_text(std::to_string(min), std::to_string(max)));
  return 0;
}

Nanos Value::instant() const {
  if (!is(json_.is_string(), "a string")) return 0;
  const std::string given = text();
  if (const auto at = parse_instant(given)) return *at;
  fail("field " + shown() + " must be an RFC 3339 instant such as 2026-01-31T08:00:00Z, got " +
       aggregator::quoted(given));
  return 0;
}

Nanos Value::seconds() const {
  if (!is(json_.is_number(), "a number")) return 0;
  if (const auto nanos = nanos_of(number())) return *nanos;
  fail("field " + shown() + " must be a number of seconds, not negative and less than 9.2e9");
  return 0;
}

Uuid Value::uuid() const {
  if (!is(json_.is_string(), "a string")) return {};
  const std::string given = text();
  if (const auto id = Uuid::parse(given); id && !id->none()) return *id;
  fail("field " + shown() + " must be a UUID such as 01890a5d-ac96-774b-bcce-b302099a8057, got " +
       aggregator::quoted(given));
  return {};
}

State Value::state() const {
  if (!is(json_.is_string(), "a string")) return State::kRunning;
  const std::string given = text();
  if (const auto state = state_of(given)) return *state;
  fail("field " + shown() + " must be one of running, succeeded, failed, canceled, crashed, got " +
       aggregator::quoted(given));
  return State::kRunning;
}

FailureKind Value::failure_kind() const {
  if (!is(json_.is_string(), "a string")) return FailureKind::kReported;
  const std::string given = text();
  if (const auto kind = failure_kind_of(given)) return *kind;
  fail("field " + shown() + " must be one of reported, exception, exit_code, signal, lost, got " +
       aggregator::quoted(given));
  return FailureKind::kReported;
}

}  // namespace kleptometrics::aggregator::http
