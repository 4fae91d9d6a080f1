#include "aggregator/schedule/cron_field.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "aggregator/base/absl_view.h"
#include "aggregator/model/utf8.h"

namespace kleptometrics::aggregator::schedule {
namespace {

constexpr unsigned kSunday = 7;          // as cron writes it beside 0
constexpr unsigned kNumberMax = 10'000;  // larger ones are beyond every field, and none overflows
constexpr std::size_t kDigitsShownMax = 12;

constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                      "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kDays = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

struct Rules {
  std::string_view unit;
  unsigned low;
  unsigned high;
  const std::string_view* names;  // of `low` and those after it
  std::size_t name_count;
};

constexpr std::array<Rules, 5> kRules = {{{"minute", 0, 59, nullptr, 0},
                                          {"hour", 0, 23, nullptr, 0},
                                          {"day of month", 1, 31, nullptr, 0},
                                          {"month", 1, 12, kMonths.data(), kMonths.size()},
                                          {"day of week", 0, kSunday, kDays.data(), kDays.size()}}};

struct Range {
  unsigned first = 0;
  unsigned last = 0;
};

std::optional<unsigned> number_of(std::string_view text) {
  if (text.empty()) return std::nullopt;
  unsigned number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    number = std::min(number * 10 + static_cast<unsigned>(c - '0'), kNumberMax);
  }
  return number;
}

class FieldParser {
 public:
  explicit FieldParser(CronUnit unit) : rules_(kRules[static_cast<std::size_t>(unit)]) {}

  absl::StatusOr<CronField> parse(std::string_view text) const {
    CronField field;
    field.star = absl::StartsWith(absl_view(text), "*");
    for (const auto item : absl::StrSplit(absl_view(text), ',')) {
      if (item.empty()) return refuse(text, "has an empty place");
      const auto values = parse_item({item.data(), item.size()});
      if (!values.ok()) return values.status();
      field.values |= *values;
    }
    if (rules_.high == kSunday && (field.values & (1U << kSunday)) != 0) {
      field.values = (field.values | 1U) & ~(std::uint64_t{1} << kSunday);
    }
    return field;
  }

 private:
  absl::Status refuse(std::string_view text, std::string_view why) const {
    const bool plain = number_of(text) && text.size() <= kDigitsShownMax;
    return absl::InvalidArgumentError(
        absl::StrCat(absl_view(rules_.unit), ": ", plain ? std::string(text) : quoted(text), " ", absl_view(why)));
  }

  std::optional<unsigned> named(std::string_view text) const {
    for (std::size_t i = 0; i < rules_.name_count; ++i) {
      if (absl::EqualsIgnoreCase(absl_view(rules_.names[i]), absl_view(text)))
        return rules_.low + static_cast<unsigned>(i);
    }
    return std::nullopt;
  }

  absl::StatusOr<unsigned> parse_value(std::string_view range, std::string_view text) const {
    if (text.empty()) return refuse(range, "lacks a number");
    if (const auto value = named(text)) return *value;
    const auto number = number_of(text);
    if (!number) {
      return refuse(text, rules_.name_count == 0 ? "is no number" : "is neither a number nor a name of three letters");
    }
    if (*number < rules_.low) return refuse(text, absl::StrCat("is below ", rules_.low));
    if (*number > rules_.high) return refuse(text, absl::StrCat("is beyond ", rules_.high));
    return *number;
  }

  absl::StatusOr<unsigned> parse_step(std::string_view item, std::string_view text) const {
    const auto step = number_of(text);
    if (!step) return refuse(item, "has a step that is no number");
    if (*step == 0) return refuse(item, "has a step of 0");
    return *step;
  }

  // Without the step. `N/S` is from N to the end, as if `N-high/S` were written.
  absl::StatusOr<Range> parse_range(std::string_view text, bool stepped) const {
    if (text == "*") return Range{rules_.low, rules_.high};
    const std::size_t dash = text.find('-');
    const auto first = parse_value(text, text.substr(0, dash));
    if (!first.ok()) return first.status();
    if (dash == std::string_view::npos) return Range{*first, stepped ? rules_.high : *first};
    auto last = parse_value(text, text.substr(dash + 1));
    if (!last.ok()) return last.status();
    // A week that ends on its Sunday, `fri-sun`, is as good as `5-7`.
    if (rules_.high == kSunday && *last == 0 && *first > 0) last = kSunday;
    if (*last < *first) return refuse(text, "ends before it begins");
    return Range{*first, *last};
  }

  absl::StatusOr<std::uint64_t> parse_item(std::string_view item) const {
    const std::size_t slash = item.find('/');
    if (slash == 0) return refuse(item, "has a step of nothing");
    const bool stepped = slash != std::string_view::npos;
    const auto range = parse_range(item.substr(0, slash), stepped);
    if (!range.ok()) return range.status();
    const auto step = stepped ? parse_step(item, item.substr(slash + 1)) : absl::StatusOr<unsigned>(1);
    if (!step.ok()) return step.status();
    std::uint64_t values = 0;
    for (unsigned value = range->first; value <= range->last; value += *step) values |= std::uint64_t{1} << value;
    return values;
  }

  const Rules& rules_;
};

}  // namespace

absl::StatusOr<CronField> parse_cron_field(CronUnit unit, std::string_view text) {
  return FieldParser(unit).parse(text);
}

}  // namespace kleptometrics::aggregator::schedule
