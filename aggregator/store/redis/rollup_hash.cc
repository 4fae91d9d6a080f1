#include "aggregator/store/redis/rollup_hash.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <utility>

#include "aggregator/store/redis/ordered.h"
#include "aggregator/store/redis/scripts.h"

namespace kleptometrics::aggregator::redis {
namespace {

using stats::Distribution;
using stats::Point;
using stats::Rollup;
using stats::Series;
using Wide = stats::TimeSums::Wide;
__extension__ using Signed = __int128;

constexpr unsigned kPartBits = 32;
constexpr std::size_t kSumParts = 4;
constexpr std::size_t kSquareParts = 6;

// Fields and their values, one list of kChange.
struct Pairs {
  Command arguments;
  std::size_t count = 0;
  template <typename Value>
  void add(std::string_view field, const Value& value) {
    arguments.add(field).add(value);
    ++count;
  }
};

char digit_of(std::size_t outcome) { return static_cast<char>('0' + outcome); }

std::string point_text(std::uint64_t amount, const Point& point) {
  return hex_of(amount) + hex_of(raised(point.at)) + hex_of(point.run_id.half(0)) + hex_of(point.run_id.half(1));
}

std::uint64_t amount_number(const Point& point, const Series& series) {
  return times(series) ? point.amount.nanos : raised(point.amount.number);
}

Point point_of(std::string_view text, const Series& series, bool high) {
  Point point;
  if (text.size() != 64) return point;
  const std::uint64_t amount = high ? ~number_of_hex(text) : number_of_hex(text);
  if (times(series)) {
    point.amount.nanos = amount;
  } else {
    point.amount.number = lowered_number(amount);
    point.amount.ratio = series.measure.kind == stats::Measure::Kind::kSecondsPer;
  }
  point.at = lowered(number_of_hex(text.substr(16)));
  const std::string id = bytes_of(number_of_hex(text.substr(32))) + bytes_of(number_of_hex(text.substr(48)));
  point.run_id = *Uuid::from_bytes(id);
  return point;
}

std::array<std::int64_t, kSumParts> parts_of(Wide sum) {
  std::array<std::int64_t, kSumParts> parts{};
  for (std::int64_t& part : parts) {
    part = static_cast<std::int64_t>(sum & 0xffffffffU);
    sum >>= kPartBits;
  }
  return parts;
}

std::array<std::int64_t, kSquareParts> square_parts_of(const stats::TimeSums& sums) {
  std::array<std::int64_t, kSquareParts> parts{};
  const auto low = parts_of(sums.squares);
  std::ranges::copy(low, parts.begin());
  parts[4] = static_cast<std::int64_t>(sums.squares_high & 0xffffffffU);
  parts[5] = static_cast<std::int64_t>(sums.squares_high >> kPartBits);
  return parts;
}

// Carries what is beyond the 32 bits of each part on to the next.
template <std::size_t n>
void normalise(std::array<std::int64_t, n>& parts) {
  Signed carry = 0;
  for (std::int64_t& part : parts) {
    const Signed whole = carry + part;
    part = static_cast<std::int64_t>(whole & 0xffffffff);
    carry = whole >> kPartBits;
  }
}

template <std::size_t n>
Wide whole_of(const std::array<std::int64_t, n>& parts) {
  Wide whole = 0;
  for (std::size_t i = 4; i-- > 0;) whole = whole << kPartBits | static_cast<std::uint64_t>(parts[i]);
  return whole;
}

// By how much the fields of one outcome grow: what is added less what is taken.
class Increments {
 public:
  void count(const Distribution& values, std::int64_t sign) {
    count_ += sign * static_cast<std::int64_t>(values.count);
    const auto sums = parts_of(values.times.sum);
    for (std::size_t i = 0; i < kSumParts; ++i) sums_[i] += sign * sums[i];
    const auto squares = square_parts_of(values.times);
    for (std::size_t i = 0; i < kSquareParts; ++i) squares_[i] += sign * squares[i];
    zeros_ += sign * static_cast<std::int64_t>(values.sketch.zero_count());
    for (std::size_t i = 0; i < values.sketch.counts().size(); ++i) {
      const std::uint64_t times = values.sketch.counts()[i];
      if (times != 0) buckets_[values.sketch.offset() + static_cast<int>(i)] += sign * static_cast<std::int64_t>(times);
    }
  }
  void count(const Rollup::Outcome& outcome, std::int64_t sign) {
    runs_ += sign * static_cast<std::int64_t>(outcome.runs);
    late_ += sign * static_cast<std::int64_t>(outcome.late);
    count(outcome.values, sign);
  }
  void write(std::size_t outcome, Pairs& out) const {
    std::string field(1, digit_of(outcome));
    const auto put = [&](std::string_view name, std::int64_t by) {
      if (by == 0) return;
      field.resize(1);
      out.add(field.append(name), by);
    };
    put("r", runs_);
    put("l", late_);
    put("n", count_);
    put("z", zeros_);
    for (std::size_t i = 0; i < kSumParts; ++i) put(std::string("s") + digit_of(i), sums_[i]);
    for (std::size_t i = 0; i < kSquareParts; ++i) put(std::string("q") + digit_of(i), squares_[i]);
    for (const auto& [bucket, by] : buckets_) put("b" + std::to_string(bucket), by);
  }

 private:
  std::int64_t runs_ = 0, late_ = 0, count_ = 0, zeros_ = 0;
  std::array<std::int64_t, kSumParts> sums_{};
  std::array<std::int64_t, kSquareParts> squares_{};
  std::map<int, std::int64_t> buckets_;
};

std::string exact(double number) {
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", number);
  return text;
}

void add_moments(std::size_t outcome, const char* count, const stats::Moments& moments, Pairs& out) {
  const char digit[] = {digit_of(outcome), '\0'};
  out.add(digit, count);
  out.arguments.add(exact(moments.mean)).add(exact(moments.deviations));
}

// The reading side: the fields of one outcome as they come.
struct Fields {
  std::array<std::int64_t, kSumParts> sums{};
  std::array<std::int64_t, kSquareParts> squares{};
  std::vector<std::pair<int, std::uint64_t>> buckets;
};

int index_of(std::string_view digits) {
  int index = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), index);
  return index;
}

void read_moments(std::string_view text, stats::Moments& moments) {
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos) return;
  std::from_chars(text.data(), text.data() + space, moments.mean);
  std::from_chars(text.data() + space + 1, text.data() + text.size(), moments.deviations);
}

void read_field(std::string_view name, ReplyView value, const Series& series, Fields& fields, Rollup::Outcome& out) {
  const auto count = static_cast<std::uint64_t>(value.number());
  const std::string_view rest = name.substr(1);
  const auto index = static_cast<std::size_t>(rest.empty() ? 0 : rest[0] - '0');
  switch (name[0]) {
    case 'r':
      out.runs = count;
      break;
    case 'l':
      out.late = count;
      break;
    case 'n':
      out.values.count = count;
      break;
    case 'z':
      out.values.sketch.add_zero(count);
      break;
    case 's':
      if (index < kSumParts) fields.sums[index] = value.number();
      break;
    case 'q':
      if (index < kSquareParts) fields.squares[index] = value.number();
      break;
    case 'b':
      fields.buckets.emplace_back(index_of(rest), count);
      break;
    case 'm':
      read_moments(value.text(), out.values.numbers);
      break;
    case 'L':
      out.values.low = point_of(value.text(), series, false);
      break;
    case 'H':
      out.values.high = point_of(value.text(), series, true);
      break;
    default:
      break;
  }
}

void finish(Fields& fields, Distribution& out) {
  normalise(fields.sums);
  normalise(fields.squares);
  out.times.sum = whole_of(fields.sums);
  out.times.squares = whole_of(fields.squares);
  out.times.squares_high =
      static_cast<std::uint64_t>(fields.squares[5]) << kPartBits | static_cast<std::uint64_t>(fields.squares[4]);
  if (fields.buckets.empty()) return;
  std::ranges::sort(fields.buckets);
  const int first = fields.buckets.front().first;
  if (first < Sketch::kBucketMin || fields.buckets.back().first > Sketch::kBucketMax) return;
  std::vector<std::uint64_t> counts(static_cast<std::size_t>(fields.buckets.back().first - first) + 1);
  for (const auto& [bucket, count] : fields.buckets) counts[static_cast<std::size_t>(bucket - first)] = count;
  out.sketch.assign(Sketch::kScale, out.sketch.zero_count(), first, std::move(counts));
}

}  // namespace

bool times(const Series& series) { return !series.step.empty() || stats::is_time(series.measure.kind); }

std::string low_text(const Point& point, const Series& series) {
  return point_text(amount_number(point, series), point);
}

std::string high_text(const Point& point, const Series& series) {
  return point_text(~amount_number(point, series), point);
}

Rollup read_rollup(ReplyView all, const Series& series) {
  Rollup rollup;
  std::array<Fields, 4> fields;
  for (std::size_t at = 0; at + 1 < all.size(); at += 2) {
    const std::string_view name = all[at].text();
    if (name.size() < 2 || name[0] < '0' || name[0] > '3') continue;
    const auto outcome = static_cast<std::size_t>(name[0] - '0');
    read_field(name.substr(1), all[at + 1], series, fields[outcome], rollup.outcomes[outcome]);
  }
  for (std::size_t outcome = 0; outcome < 4; ++outcome) finish(fields[outcome], rollup.outcomes[outcome].values);
  return rollup;
}

Command RollupChange::arguments(const std::string& key, const Series& series) const {
  Pairs moments, increments, sets, least;
  for (const Taken& each : taken) {
    const Distribution& values = each.of.outcomes[each.outcome].values;
    if (!times(series) && values.count != 0) add_moments(each.outcome, "-1", values.numbers, moments);
  }
  for (std::size_t outcome = 0; outcome < 4; ++outcome) {
    const Distribution& values = added.outcomes[outcome].values;
    if (!times(series) && values.count != 0)
      add_moments(outcome, std::to_string(values.count).c_str(), values.numbers, moments);
    Increments by;
    by.count(added.outcomes[outcome], 1);
    for (const Taken& each : taken) by.count(each.of.outcomes[outcome], -1);
    by.write(outcome, increments);
    const std::string digit(1, digit_of(outcome));
    if (found[outcome]) {
      sets.add(digit + "L", found[outcome]->low);
      sets.add(digit + "H", found[outcome]->high);
    } else if (values.count != 0) {
      least.add(digit + "L", low_text(values.low, series));
      least.add(digit + "H", high_text(values.high, series));
    }
    if (const Distribution& old = expired.outcomes[outcome].values; old.count != 0) {
      least.add(digit + "x", low_text(old.low, series));
      least.add(digit + "y", high_text(old.high, series));
    }
  }
  Command command("EVALSHA", kChange.sha1, 1, key);
  for (const Pairs* each : {&moments, &increments, &sets, &least}) command.add(each->count).add(each->arguments);
  return command;
}

}  // namespace kleptometrics::aggregator::redis
