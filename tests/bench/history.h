// A made-up history of batch jobs, for benchmarks: the same seed gives the same runs on every machine, and any run can
// be asked for by its number, so that no more of ten million is ever held than is looked at.
//
// Runs are numbered in order of their ends, which are spread evenly over the days before a fixed instant. A job has a
// median of its own between two seconds and an hour; durations are log-normal around it. One job holds a tenth of all
// runs, one run in fifty fails. Pure; immutable, so any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/uuid.h"

namespace kleptometrics::bench {

inline constexpr Nanos kNanosPerDay = 86'400 * kNanosPerSecond;

struct HistoryOptions {
  std::uint64_t runs = 1'000'000;  // from 1
  std::uint64_t seed = 1;
  std::uint32_t jobs = 1'000;  // from 2; job 0 is the hot one
  std::uint32_t hosts = 40;
  int days = 90;
  Nanos end = 1'751'328'000 * kNanosPerSecond;  // 2025-07-01T00:00:00Z, at which the last run has ended
};

// A run that has ended.
struct Sample {
  Uuid id;  // version 7 of its start
  std::uint32_t job = 0, host = 0;
  bool failed = false;  // else it succeeded
  // Two clocks measured it: finished_at - started_at differs from duration by some microseconds.
  Nanos started_at = 0, finished_at = 0, duration = 0;
  // Sent by those who measure more than time.
  Nanos scheduled_at = 0;
  Nanos cpu_user = 0, cpu_system = 0;
  std::uint64_t max_rss_bytes = 0;
  double rows = 0, bytes = 0;  // counters
};

class History {
 public:
  static constexpr double kSigma = 0.5;  // of the logarithm of durations
  static constexpr double kHotShare = 0.1, kFailedShare = 0.02;

  explicit History(const HistoryOptions& options);

  Sample run(std::uint64_t number) const;  // from 0 to below options().runs
  // When all runs before this one have ended.
  Nanos ended_before(std::uint64_t number) const;

  const std::string& job_name(std::uint32_t job) const { return job_names_[job]; }
  const std::string& host_name(std::uint32_t host) const { return host_names_[host]; }
  Nanos median_of(std::uint32_t job) const { return medians_[job]; }
  const HistoryOptions& options() const { return options_; }
  Nanos begin() const { return options_.end - options_.days * kNanosPerDay; }

 private:
  HistoryOptions options_;
  std::vector<double> factors_;  // quantiles of the log-normal distribution around 1
  std::vector<Nanos> medians_;
  std::vector<std::string> job_names_, host_names_;
};

// Numbers that look random (splitmix64 by Sebastiano Vigna, in the public domain).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  double unit() { return static_cast<double>(next() >> 11U) * 0x1.0p-53; }  // 0 to below 1
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }

 private:
  std::uint64_t state_;
};

}  // namespace kleptometrics::bench
