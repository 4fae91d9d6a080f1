// Pushes: by the aggregator's own encoder, and by hand where one run is not enough.
#include <string>

#include "aggregator/wire/wire.h"
#include "kleptometrics/v1/run.pb.h"
#include "tests/aggregator/model/full_run.h"
#include "tests/fakes/runs.h"
#include "tests/fuzz/seeds.h"

namespace kleptometrics::fuzz {
namespace {

using aggregator::Run;
using aggregator::wire::encode_run;

Run annotated() {
  Run run = fakes::full_run();
  run.annotations = {3, {{"ticket", "OPS-1"}, {"region", "eu-north"}}, "the tape was full"};
  return run;
}

// Of different scales, and one whose values are all 0.
Run of_many_sketches() {
  Run run = fakes::full_run();
  run.steps = {fakes::step_of("fine", {1, 1'000'000, 3'000'000'000}), fakes::step_of("coarse", {5, 50, 500, 5'000}),
               fakes::step_of("zeros", {0, 0, 0})};
  for (int i = 0; i < 4; ++i) run.steps[1].sketch.coarsen();
  return run;
}

// Runs that share their strings, as the client library sends them.
std::string batch() {
  v1::PushRequest push;
  for (const char* text : {"", "nightly-billing", "batch-01", "region", "eu"}) push.add_strings(text);
  for (std::uint32_t number = 1; number <= 3; ++number) {
    v1::Run& run = *push.add_runs();
    const Uuid id = fakes::id_of(number);
    run.set_id(id.bytes.data(), id.bytes.size());
    run.set_job(1);
    run.set_state(v1::STATE_RUNNING);
    run.set_revision(number);
    run.set_started_at_ns(fakes::kStart);
    run.set_host(2);
    v1::Label& label = *run.add_labels();
    label.set_key(3);
    label.set_value(4);
  }
  return push.SerializeAsString();
}

}  // namespace

std::map<std::string, std::string> push_seeds() {
  std::map<std::string, std::string> seeds;
  seeds["whole-started"] = encode_run(fakes::started("nightly-billing", 1));
  seeds["whole-full"] = encode_run(fakes::full_run());
  seeds["whole-annotated"] = encode_run(annotated());
  seeds["whole-sketches"] = encode_run(of_many_sketches());
  seeds["whole-batch"] = batch();
  seeds["refused-no-job"] = encode_run(fakes::started("", 1));
  return seeds;
}

}  // namespace kleptometrics::fuzz
