#include "aggregator/http/time_text.h"

#include <chrono>
#include <cmath>
#include <cstddef>
#include <limits>

namespace kleptometrics::aggregator::http {
namespace {

constexpr std::int64_t kSecondsPerDay = 86'400;
constexpr std::size_t kFractionDigitsMax = 9;

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Reads a text from the front; the first mismatch makes it fail for good.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : left_(text) {}

  int number(std::size_t digits) {
    if (left_.size() < digits) return refuse();
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      if (!is_digit(left_[i])) return refuse();
      value = value * 10 + (left_[i] - '0');
    }
    left_.remove_prefix(digits);
    return value;
  }
  // Takes the next character if it is one of `allowed` and gives it, else fails.
  char one_of(std::string_view allowed) {
    if (left_.empty() || allowed.find(left_.front()) == std::string_view::npos) {
      refuse();
      return '\0';
    }
    const char c = left_.front();
    left_.remove_prefix(1);
    return c;
  }
  bool next_is(char c) const { return !left_.empty() && left_.front() == c; }
  Nanos fraction() {
    Nanos value = 0;
    std::size_t digits = 0;
    for (; !left_.empty() && is_digit(left_.front()) && digits < kFractionDigitsMax; ++digits) {
      value = value * 10 + (left_.front() - '0');
      left_.remove_prefix(1);
    }
    if (digits == 0) return refuse();
    for (; digits < kFractionDigitsMax; ++digits) value *= 10;
    return value;
  }
  bool complete() const { return !failed_ && left_.empty(); }
  int refuse() {
    failed_ = true;
    return 0;
  }

 private:
  std::string_view left_;
  bool failed_ = false;
};

std::optional<Nanos> combine(std::int64_t seconds, Nanos fraction) {
  Nanos nanos = 0;
  if (__builtin_mul_overflow(seconds, kNanosPerSecond, &nanos)) return std::nullopt;
  if (__builtin_add_overflow(nanos, fraction, &nanos)) return std::nullopt;
  return nanos;
}

std::int64_t floor_divide(std::int64_t value, std::int64_t by) { return value / by - (value % by < 0 ? 1 : 0); }

// Seconds east of UTC; the scanner stands at `Z` or at a sign.
std::int64_t scan_offset(Scanner& scanner) {
  const char zone = scanner.one_of("Zz+-");
  if (zone != '+' && zone != '-') return 0;
  const int hours = scanner.number(2);
  scanner.one_of(":");
  const int minutes = scanner.number(2);
  if (hours > 23 || minutes > 59) scanner.refuse();
  const std::int64_t offset = hours * 3600 + minutes * 60;
  return zone == '-' ? -offset : offset;
}

std::optional<std::int64_t> days_since_epoch(int year, int month, int day) {
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date).time_since_epoch().count();
}

std::int64_t unit_seconds(char unit) {
  switch (unit) {
    case 's':
      return 1;
    case 'm':
      return 60;
    case 'h':
      return 3600;
    case 'd':
      return kSecondsPerDay;
    case 'w':
      return 7 * kSecondsPerDay;
    default:
      return 0;
  }
}

}  // namespace

std::optional<Nanos> parse_instant(std::string_view text) {
  Scanner scanner(text);
  const int year = scanner.number(4);
  scanner.one_of("-");
  const int month = scanner.number(2);
  scanner.one_of("-");
  const int day = scanner.number(2);
  scanner.one_of("Tt");
  const int hour = scanner.number(2);
  scanner.one_of(":");
  const int minute = scanner.number(2);
  scanner.one_of(":");
  const int second = scanner.number(2);
  Nanos fraction = 0;
  if (scanner.next_is('.')) {
    scanner.one_of(".");
    fraction = scanner.fraction();
  }
  const std::int64_t offset = scan_offset(scanner);
  if (!scanner.complete() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  const auto days = days_since_epoch(year, month, day);
  if (!days) return std::nullopt;
  const std::int64_t minute_start = *days * kSecondsPerDay + hour * 3600 + minute * 60 - offset;
  const bool last_minute_of_day = floor_divide(minute_start + 60, kSecondsPerDay) * kSecondsPerDay == minute_start + 60;
  if (second == 60 && !last_minute_of_day) return std::nullopt;
  return combine(minute_start + second, fraction);
}

std::optional<Nanos> parse_length(std::string_view text) {
  constexpr std::size_t kDigitsMax = 10;
  if (text.size() < 2 || text.size() > kDigitsMax + 1) return std::nullopt;
  const std::int64_t unit = unit_seconds(text.back());
  if (unit == 0) return std::nullopt;
  std::int64_t amount = 0;
  for (const char c : text.substr(0, text.size() - 1)) {
    if (!is_digit(c)) return std::nullopt;
    amount = amount * 10 + (c - '0');
  }
  return combine(amount * unit, 0);
}

double seconds_of(std::uint64_t nanos) { return static_cast<double>(nanos) / static_cast<double>(kNanosPerSecond); }

double signed_seconds_of(Nanos nanos) { return static_cast<double>(nanos) / static_cast<double>(kNanosPerSecond); }

std::optional<Nanos> nanos_of(double seconds) {
  constexpr auto kWholeMax = static_cast<double>(std::numeric_limits<Nanos>::max() / kNanosPerSecond);
  if (!(seconds >= 0) || seconds >= kWholeMax) return std::nullopt;
  // Whole and broken part apart: both are exact, so only the last rounding is left.
  const double whole = std::floor(seconds);
  const double broken = (seconds - whole) * static_cast<double>(kNanosPerSecond);
  return static_cast<Nanos>(whole) * kNanosPerSecond + static_cast<Nanos>(std::llround(broken));
}

}  // namespace kleptometrics::aggregator::http
