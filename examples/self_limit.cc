// A batch program that knows how long it usually takes: it asks for its own history and sets its limit from that, half
// as much again as all but one in twenty of its runs took. Where the limit is crossed, on_delay is called while the
// run still goes on and somebody can act. Without an aggregator, or with too little history, it runs without a limit.
//
//   self_limit [N]      counts the primes below N (10,000,000)
#include <kleptometrics/kleptometrics.h>
#include <kleptometrics/query.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

constexpr const char* kJob = "count-primes";
constexpr std::uint64_t kRunsMin = 20;  // fewer say little of one in twenty

// 0: none.
kleptometrics::Duration limit_from_history() {
  kleptometrics::query::StatsQuestion question;
  question.filter.since = std::chrono::system_clock::now() - std::chrono::hours(24 * 90);
  const kleptometrics::query::Aggregator aggregator;
  const auto stats = aggregator.stats(kJob, question);
  if (!stats) {
    std::fprintf(stderr, "no limit: %s\n", stats.error().detail.c_str());
    return {};
  }
  if (stats->count < kRunsMin) return {};
  const std::chrono::duration<double> limit(1.5 * *stats->p95);
  std::printf("limit %.3f s, from %llu runs\n", limit.count(), static_cast<unsigned long long>(stats->count));
  return std::chrono::duration_cast<kleptometrics::Duration>(limit);
}

std::size_t primes_below(std::size_t n) {
  std::vector<bool> composite(n);
  std::size_t primes = 0;
  for (std::size_t i = 2; i < n; ++i) {
    if (composite[i]) continue;
    ++primes;
    for (std::size_t multiple = 2 * i; multiple < n; multiple += i) composite[multiple] = true;
  }
  return primes;
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t n = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 10'000'000;
  kleptometrics::RunOptions options;
  options.max_duration = limit_from_history();
  options.on_delay = [](const kleptometrics::RunInfo& info) {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(info.message.size()), info.message.data());
  };
  kleptometrics::Run run(kJob, options);
  const std::size_t primes = primes_below(n);
  run.count("primes", static_cast<double>(primes));
  std::printf("%zu primes below %zu\n", primes, n);
}
