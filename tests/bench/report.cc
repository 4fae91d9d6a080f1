#include "tests/bench/report.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <utility>

namespace kleptometrics::bench {
namespace {

// Seconds that the parts from `first` to `last` took.
double seconds_of(const std::vector<double>& marks, std::size_t first, std::size_t last) {
  return marks[last] - (first == 0 ? 0 : marks[first - 1]);
}

std::string milliseconds(const Timing& timing) {
  char text[32];
  if (timing.status == 404) return "not there";
  if (timing.requests == 0) return "status " + std::to_string(timing.status);
  std::snprintf(text, sizeof text, "%.3f", timing.median);
  return text;
}

}  // namespace

void Report::title(const std::string& text) { std::printf("\n== %s\n", text.c_str()); }

void Report::line(const char* name, const char* format, ...) {
  std::printf("  %-46s ", name);
  std::va_list arguments;
  va_start(arguments, format);
  std::vprintf(format, arguments);
  va_end(arguments);
  std::printf("\n");
  std::fflush(stdout);
}

bool Report::check(bool right, const std::string& what) {
  if (right) return true;
  ++wrong_;
  std::printf("  WRONG: %s\n", what.c_str());
  return false;
}

void Report::load(const LoadResult& load, std::uint64_t mark_every) {
  line("accepted runs a second", "%.0f (%llu in %.2f s, %llu requests)", load.rate(),
       static_cast<unsigned long long>(load.accepted), load.seconds, static_cast<unsigned long long>(load.requests));
  if (load.duplicates != 0)
    line("runs a second, with those sent again", "%.0f (%llu duplicates)",
         static_cast<double>(load.accepted + load.duplicates) / load.seconds,
         static_cast<unsigned long long>(load.duplicates));
  if (load.retries != 0) line("batches sent again", "%llu", static_cast<unsigned long long>(load.retries));
  line("bytes a run on the wire", "%.1f",
       static_cast<double>(load.body_bytes) / static_cast<double>(load.accepted + load.duplicates));
  line("of the machine, taken by the load itself", "%.2f cores", load.cpu_seconds / load.seconds);
  std::string parts;
  for (std::size_t part = 0; part < load.marks.size(); ++part)
    parts += " " + std::to_string(
                       static_cast<int>(static_cast<double>(mark_every) / seconds_of(load.marks, part, part) / 1000));
  if (!parts.empty())
    line("thousand runs/s by part", "%s (a part: %llu runs)", parts.c_str() + 1,
         static_cast<unsigned long long>(mark_every));
  if (load.marks.size() >= 10)
    line("parts 8 to 10 against 1 to 3", "%.2f (at least 0.80)",
         seconds_of(load.marks, 0, 2) / seconds_of(load.marks, 7, 9));
}

void Report::against_floor(const LoadResult& load, const Floor& before, const Floor& after) {
  const double mean = (before.rate + after.rate) / 2;
  line("floor, runs a second", "%.0f (before %.0f, after %.0f)", mean, before.rate, after.rate);
  for (const auto& [name, floor] : {std::pair{"its parts before", before}, {"its parts after", after}})
    line(name, "decode and sketches %.0f ns a run; append and fdatasync %.0f us a batch, median %.0f",
         floor.decode_nanos, floor.append_microseconds, floor.append_median);
  line("of the floor", "%.3f", load.rate() / mean);
  if (std::max(before.rate, after.rate) > 1.5 * std::min(before.rate, after.rate))
    line("", "the machine was not quiet: the floor changed by more than half");
}

void Report::questions(const std::vector<Timing>& timings, const std::vector<double>& peer,
                       const std::string& peer_name) {
  std::printf("  %-38s %10s %8s %10s %8s %10s %s\n", "QUESTION (milliseconds)", "MEDIAN", "AT MOST", "HIGHEST", "ASKED",
              "BYTES", peer_name.c_str());
  for (std::size_t i = 0; i < timings.size(); ++i) {
    const Timing& timing = timings[i];
    std::printf("  %-38s %10s", timing.name.c_str(), milliseconds(timing).c_str());
    const std::string bound = timing.bound_milliseconds > 0 ? std::to_string(int(timing.bound_milliseconds)) : "";
    std::printf(" %8s %10.3f %8u %10zu", bound.c_str(), timing.highest, timing.requests, timing.bytes);
    if (i < peer.size() && peer[i] > 0) std::printf(" %10.3f", peer[i]);
    std::printf("\n");
    check(timing.status == 200 || timing.status == 404,
          timing.name + " was answered with " + std::to_string(timing.status));
  }
  std::fflush(stdout);
}

void Report::beside(const std::vector<Timing>& one, const std::string& its_name, const std::vector<Timing>& other,
                    const std::string& other_name, double at_most) {
  std::printf("  %-38s %10s %10s %8s %8s\n", "QUESTION (milliseconds)", its_name.c_str(), other_name.c_str(), "RATIO",
              "AT MOST");
  for (std::size_t i = 0; i < one.size() && i < other.size(); ++i) {
    std::printf("  %-38s %10s %10s", one[i].name.c_str(), milliseconds(one[i]).c_str(), milliseconds(other[i]).c_str());
    if (one[i].requests != 0 && other[i].requests != 0)
      std::printf(" %8.2f %8.2f", other[i].median / one[i].median, at_most);
    std::printf("\n");
  }
  std::fflush(stdout);
}

void Report::growth(const std::vector<Timing>& before, const std::vector<Timing>& after) {
  beside(before, "FEW", after, "MANY", 1.5);
}

}  // namespace kleptometrics::bench
