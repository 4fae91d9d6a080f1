#include <map>
#include <string>

#include "aggregator/wire/rollups.h"
#include "tests/aggregator/wire/sample_rollups.h"
#include "tests/fuzz/seeds.h"

namespace kleptometrics::fuzz {
namespace {

using aggregator::State;
using aggregator::stats::Rollup;

// Times that fill all words of their sums, in every outcome.
Rollup of_long_times() {
  Rollup rollup;
  for (const State state : {State::kSucceeded, State::kFailed, State::kCanceled, State::kCrashed}) {
    for (std::uint32_t i = 0; i < 4; ++i) {
      rollup.of(state).values.add({{~std::uint64_t{0} >> i, 0, false}, fakes::id_of(i), fakes::kStart - i});
    }
  }
  return rollup;
}

}  // namespace

std::map<std::string, std::string> rollup_seeds() {
  std::map<std::string, std::string> seeds;
  for (const fakes::SampleRollup& sample : fakes::sample_rollups()) {
    seeds[kWholePrefix + sample.name] = aggregator::wire::encode_rollup(sample.rollup);
  }
  seeds["whole-long_times"] = aggregator::wire::encode_rollup(of_long_times());
  return seeds;
}

}  // namespace kleptometrics::fuzz
