#include "aggregator/wire/rollups.h"

#include <google/protobuf/arena.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "aggregator/base/absl_view.h"
#include "kleptometrics/v1/store.pb.h"

namespace kleptometrics::aggregator::wire {
namespace {

using stats::Distribution;
using stats::Point;
using stats::Rollup;
using Wide = stats::TimeSums::Wide;

constexpr std::size_t kArenaStartBytes = 4096;  // on the stack; holds a rollup whole, but for its sketches
constexpr std::uint64_t kDerivedCountMax = 2;   // up to this the low and the high are all values
constexpr std::uint64_t kNanosPerMilli = 1'000'000;

// -0 becomes 0: they are equal.
double plain(double number) { return number + 0.0; }

void set_word(Uuid& id, std::size_t first, std::uint64_t word) {
  for (std::size_t i = first + 8; i-- > first; word >>= 8U) id.bytes[i] = static_cast<std::uint8_t>(word);
}

// What the start of a run is counted from. Modulo 2^64: any id has one.
std::uint64_t start_of_id(const Uuid& id) { return id.version_7_millis().value_or(0) * kNanosPerMilli; }

// Sums and sketch as they are when there are no other values than the low and the high.
Distribution derived(std::uint64_t count, const Point& low, const Point& high) {
  Distribution values;
  if (count == 0 || count > kDerivedCountMax) return values;
  values.add(low);
  if (count == kDerivedCountMax) values.add(high);
  return values;
}

void write_point(const Point& point, v1::Point& out) {
  out.set_nanos(point.amount.nanos);
  out.set_number(plain(point.amount.number));
  out.set_ratio(point.amount.ratio);
  out.set_id_high(point.run_id.half(0));
  out.set_id_low(point.run_id.half(1));
  out.set_at_ns(static_cast<std::int64_t>(static_cast<std::uint64_t>(point.at) - start_of_id(point.run_id)));
}

void write_times(const stats::TimeSums& times, const stats::TimeSums& expected, v1::Outcome& out) {
  if (times == expected) return;
  const auto low = [](Wide wide) { return static_cast<std::uint64_t>(wide); };
  const auto high = [](Wide wide) { return static_cast<std::uint64_t>(wide >> 64U); };
  if (low(times.sum) != low(expected.sum)) out.set_sum_low(low(times.sum));
  if (high(times.sum) != high(expected.sum)) out.set_sum_high(high(times.sum));
  if (low(times.squares) != low(expected.squares)) out.set_squares_low(low(times.squares));
  if (high(times.squares) != high(expected.squares)) out.set_squares_middle(high(times.squares));
  if (times.squares_high != expected.squares_high) out.set_squares_high(times.squares_high);
}

void write_numbers(const stats::Moments& numbers, const stats::Moments& expected, v1::Outcome& out) {
  if (numbers.mean != expected.mean) out.set_mean(plain(numbers.mean));
  if (numbers.deviations != expected.deviations) out.set_deviations(plain(numbers.deviations));
}

void write_values(const Distribution& values, v1::Outcome& out) {
  const Distribution expected = derived(values.count, values.low, values.high);
  if (values.count != 1) out.set_count(values.count);
  write_point(values.low, *out.mutable_low());
  write_times(values.times, expected.times, out);
  write_numbers(values.numbers, expected.numbers, out);
  if (values.sketch != expected.sketch) values.sketch.encode_to(*out.mutable_sketch());
  if (values.high != values.low) write_point(values.high, *out.mutable_high());
}

void write_outcome(const Rollup::Outcome& outcome, v1::Outcome& out) {
  if (outcome.runs != outcome.values.count) out.set_runs(outcome.runs);
  out.set_late(outcome.late);
  if (outcome.values.count != 0) write_values(outcome.values, out);
}

// Whether a number from outside can be in a rollup. Each read_… is false where the message cannot be one.
bool sound(double number) { return std::isfinite(number); }

bool read_point(const v1::Point& in, Point& point) {
  if (!sound(in.number())) return false;
  point.amount = {in.nanos(), plain(in.number()), in.ratio()};
  set_word(point.run_id, 0, in.id_high());
  set_word(point.run_id, 8, in.id_low());
  point.at = static_cast<Nanos>(static_cast<std::uint64_t>(in.at_ns()) + start_of_id(point.run_id));
  return true;
}

// Of one kind, times or numbers or ratios, and in order.
bool can_be_ends(const stats::Amount& low, const stats::Amount& high) {
  const bool times = low.nanos != 0 || high.nanos != 0;
  const bool numbers = low.number != 0 || high.number != 0 || low.ratio;
  return low.ratio == high.ratio && !(times && numbers) && !(high < low);
}

void set_low(Wide& wide, std::uint64_t word) { wide = wide >> 64U << 64U | word; }
void set_high(Wide& wide, std::uint64_t word) { wide = Wide{word} << 64U | static_cast<std::uint64_t>(wide); }

void read_times(const v1::Outcome& in, stats::TimeSums& times) {
  if (in.has_sum_low()) set_low(times.sum, in.sum_low());
  if (in.has_sum_high()) set_high(times.sum, in.sum_high());
  if (in.has_squares_low()) set_low(times.squares, in.squares_low());
  if (in.has_squares_middle()) set_high(times.squares, in.squares_middle());
  if (in.has_squares_high()) times.squares_high = in.squares_high();
}

bool read_numbers(const v1::Outcome& in, stats::Moments& numbers) {
  if (in.has_mean()) numbers.mean = plain(in.mean());
  if (in.has_deviations()) numbers.deviations = plain(in.deviations());
  return sound(numbers.mean) && sound(numbers.deviations) && numbers.deviations >= 0;
}

// The sketch holds as many values as are counted: so one whose end was cut off is seen.
bool read_values(const v1::Outcome& in, Distribution& values) {
  const std::uint64_t count = in.has_count() ? in.count() : 1;
  Point low, high;
  if (count == 0 || !read_point(in.low(), low)) return false;
  high = low;
  if (in.has_high() && !read_point(in.high(), high)) return false;
  if (!can_be_ends(low.amount, high.amount)) return false;
  values = derived(count, low, high);
  values.count = count;
  values.low = low;
  values.high = high;
  read_times(in, values.times);
  if (!read_numbers(in, values.numbers)) return false;
  if (in.has_sketch() && !values.sketch.decode(in.sketch())) return false;
  return values.sketch.count() == count;
}

bool read_outcome(const v1::Outcome& in, Rollup::Outcome& outcome) {
  if (in.has_low() && !read_values(in, outcome.values)) return false;
  outcome.runs = in.has_runs() ? in.runs() : outcome.values.count;
  outcome.late = in.late();
  return true;
}

bool read_rollup(const v1::Rollup& in, Rollup& rollup) {
  return (!in.has_succeeded() || read_outcome(in.succeeded(), rollup.of(State::kSucceeded))) &&
         (!in.has_failed() || read_outcome(in.failed(), rollup.of(State::kFailed))) &&
         (!in.has_canceled() || read_outcome(in.canceled(), rollup.of(State::kCanceled))) &&
         (!in.has_crashed() || read_outcome(in.crashed(), rollup.of(State::kCrashed)));
}

v1::Outcome& message_of(State state, v1::Rollup& rollup) {
  switch (state) {
    case State::kFailed:
      return *rollup.mutable_failed();
    case State::kCanceled:
      return *rollup.mutable_canceled();
    case State::kCrashed:
      return *rollup.mutable_crashed();
    default:
      return *rollup.mutable_succeeded();
  }
}

}  // namespace

std::string encode_rollup(const Rollup& rollup) {
  alignas(std::max_align_t) char start[kArenaStartBytes];
  google::protobuf::Arena arena(start, sizeof start);
  auto& message = *google::protobuf::Arena::CreateMessage<v1::Rollup>(&arena);
  for (const State state : {State::kSucceeded, State::kFailed, State::kCanceled, State::kCrashed}) {
    const Rollup::Outcome& outcome = rollup.of(state);
    const bool empty = outcome.runs == 0 && outcome.late == 0 && outcome.values.count == 0;
    if (!empty) write_outcome(outcome, message_of(state, message));
  }
  return message.SerializeAsString();
}

absl::StatusOr<Rollup> decode_rollup(std::string_view bytes) {
  alignas(std::max_align_t) char start[kArenaStartBytes];
  google::protobuf::Arena arena(start, sizeof start);
  auto& message = *google::protobuf::Arena::CreateMessage<v1::Rollup>(&arena);
  Rollup rollup;
  const bool fits = bytes.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max());
  if (!fits || !message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || !read_rollup(message, rollup)) {
    return absl::DataLossError(absl::StrCat("decode a rollup: the ", bytes.size(), " bytes are none"));
  }
  return rollup;
}

}  // namespace kleptometrics::aggregator::wire
