#include "tests/bench/history.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>

namespace kleptometrics::bench {
namespace {

constexpr std::size_t kSlices = 4096;  // of the distribution; straight lines between them

// The z below which a share `q` of the normal distribution lies, by halving.
double normal_quantile(double q) {
  double low = -8;
  double high = 8;
  for (int step = 0; step < 60; ++step) {
    const double middle = (low + high) / 2;
    (0.5 * std::erfc(-middle / std::sqrt(2.0)) < q ? low : high) = middle;
  }
  return low;
}

std::vector<double> log_normal_factors() {
  std::vector<double> factors;
  for (std::size_t slice = 0; slice <= kSlices; ++slice) {
    const double q = std::clamp(static_cast<double>(slice) / kSlices, 0.1 / kSlices, 1 - 0.1 / kSlices);
    factors.push_back(std::exp(History::kSigma * normal_quantile(q)));
  }
  return factors;
}

double pick(const std::vector<double>& factors, std::uint64_t random) {
  const std::size_t slice = random >> 52U;
  const double within = static_cast<double>(random & 0xFFFFFFFFU) * 0x1.0p-32;
  return factors[slice] + (factors[slice + 1] - factors[slice]) * within;
}

Uuid id_of(Nanos started_at, Random& random) {
  Uuid id;
  const std::uint64_t parts[2] = {static_cast<std::uint64_t>(started_at / 1'000'000) << 16U | (random.next() >> 48U),
                                  random.next()};
  for (std::size_t i = 0; i < id.bytes.size(); ++i)
    id.bytes[i] = static_cast<std::uint8_t>(parts[i / 8] >> (56 - 8 * (i % 8)));
  id.bytes[6] = static_cast<std::uint8_t>(0x70U | (id.bytes[6] & 0x0FU));
  id.bytes[8] = static_cast<std::uint8_t>(0x80U | (id.bytes[8] & 0x3FU));
  return id;
}

std::string numbered(const char* format, std::uint32_t number) {
  char text[48];
  std::snprintf(text, sizeof text, format, static_cast<unsigned>(number));
  return text;
}

// What the run used, roughly in proportion to its length.
void measure(Sample& run, Random& random) {
  const double seconds = static_cast<double>(run.duration) / static_cast<double>(kNanosPerSecond);
  run.scheduled_at = run.started_at - static_cast<Nanos>(random.below(30 * kNanosPerSecond));
  run.cpu_user = static_cast<Nanos>(static_cast<double>(run.duration) * (0.3 + 0.5 * random.unit())) / 1'000 * 1'000;
  run.cpu_system = static_cast<Nanos>(static_cast<double>(run.duration) * 0.1 * random.unit()) / 1'000 * 1'000;
  run.max_rss_bytes = (64U + random.below(1024)) << 20U;
  run.rows = std::floor(seconds * 10'000 * (0.8 + 0.4 * random.unit()));
  run.bytes = run.rows * 120 + std::floor(4096 * random.unit());
}

}  // namespace

std::uint64_t Random::next() {
  std::uint64_t value = state_ += 0x9E3779B97F4A7C15U;
  value = (value ^ (value >> 30U)) * 0xBF58476D1CE4E5B9U;
  value = (value ^ (value >> 27U)) * 0x94D049BB133111EBU;
  return value ^ (value >> 31U);
}

History::History(const HistoryOptions& options) : options_(options), factors_(log_normal_factors()) {
  Random random(options.seed);
  for (std::uint32_t job = 0; job < options.jobs; ++job) {
    const double seconds = 2 * std::pow(1800.0, random.unit());
    medians_.push_back(static_cast<Nanos>(seconds * static_cast<double>(kNanosPerSecond)));
    job_names_.push_back(numbered("nightly.job-%04u", job));
  }
  for (std::uint32_t host = 0; host < options.hosts; ++host)
    host_names_.push_back(numbered("worker-%02u.example.net", host));
}

Nanos History::ended_before(std::uint64_t number) const {
  const double share = static_cast<double>(number) / static_cast<double>(options_.runs);
  return begin() + static_cast<Nanos>(share * static_cast<double>(options_.days * kNanosPerDay));
}

Sample History::run(std::uint64_t number) const {
  Random random(options_.seed * 0xD1342543DE82EF95U + number);
  random = Random(random.next());
  Sample run;
  run.job = random.unit() < kHotShare ? 0 : 1 + static_cast<std::uint32_t>(random.below(options_.jobs - 1));
  run.host = static_cast<std::uint32_t>(random.below(options_.hosts));
  run.failed = random.unit() < kFailedShare;
  const Nanos from = ended_before(number);
  run.finished_at = from + static_cast<Nanos>(random.unit() * static_cast<double>(ended_before(number + 1) - from));
  run.duration = static_cast<Nanos>(static_cast<double>(medians_[run.job]) * pick(factors_, random.next()));
  // Two pairs of clock readings never lie equally far apart, and the wall clock is being slewed.
  const Nanos skew = static_cast<Nanos>(random.below(4'000)) - 2'000 + run.duration / 100'000;
  run.started_at = run.finished_at - run.duration - skew;
  run.id = id_of(run.started_at, random);
  measure(run, random);
  return run;
}

}  // namespace kleptometrics::bench
