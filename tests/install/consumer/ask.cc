// Asks an aggregator that is not there: an error, in a program without exceptions.
#include <kleptometrics/query.h>

#include <cstdio>

int main() {
  const kleptometrics::query::Aggregator aggregator;
  const auto stats = aggregator.stats("nightly-billing");
  if (stats) return 1;
  std::printf("%s\n", stats.error().detail.c_str());
  return stats.error().status == 0 && !stats.error().detail.empty() ? 0 : 1;
}
