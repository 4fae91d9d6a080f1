#include "lib/base/instant.h"

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace kleptometrics {
namespace {

constexpr std::int64_t kSecondsPerDay = 86'400;
constexpr std::size_t kFractionDigits = 9;

std::string padded(std::uint64_t value, std::size_t width) {
  std::string digits = std::to_string(value);
  return digits.size() < width ? std::string(width - digits.size(), '0') + digits : digits;
}

std::int64_t floor_divide(std::int64_t value, std::int64_t by) { return value / by - (value % by < 0 ? 1 : 0); }

}  // namespace

std::string instant_text(Nanos at) {
  const std::int64_t seconds = floor_divide(at, kNanosPerSecond);
  const Nanos remainder = at % kNanosPerSecond;  // of the sign of `at`
  const auto fraction = static_cast<std::uint64_t>(remainder < 0 ? remainder + kNanosPerSecond : remainder);
  const std::int64_t day = floor_divide(seconds, kSecondsPerDay);
  const auto within_day = static_cast<std::uint64_t>(seconds - day * kSecondsPerDay);
  const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(day))};
  std::string text = padded(static_cast<std::uint64_t>(static_cast<int>(date.year())), 4) + "-" +
                     padded(static_cast<unsigned>(date.month()), 2) + "-" +
                     padded(static_cast<unsigned>(date.day()), 2) + "T" + padded(within_day / 3600, 2) + ":" +
                     padded(within_day / 60 % 60, 2) + ":" + padded(within_day % 60, 2);
  if (fraction != 0) {
    text += "." + padded(fraction, kFractionDigits);
    text.erase(text.find_last_not_of('0') + 1);
  }
  return text + "Z";
}

}  // namespace kleptometrics
