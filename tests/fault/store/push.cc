#include "tests/fault/store/push.h"

#include <cstdint>
#include <stdexcept>

#include "aggregator/wire/wire.h"
#include "kleptometrics/v1/run.pb.h"

namespace kleptometrics::fault {
namespace {

// Moves all that points into the strings of the request.
void shift(v1::Run& run, std::uint32_t by) {
  run.set_job(run.job() + by);
  run.set_host(run.host() + by);
  run.set_program(run.program() + by);
  run.set_version(run.version() + by);
  run.set_build_id(run.build_id() + by);
  run.set_boot_id(run.boot_id() + by);
  for (v1::Counter& counter : *run.mutable_counters()) counter.set_name(counter.name() + by);
  for (v1::Step& step : *run.mutable_steps()) step.set_name(step.name() + by);
  for (v1::Label& label : *run.mutable_labels()) {
    label.set_key(label.key() + by);
    label.set_value(label.value() + by);
  }
}

}  // namespace

std::string push_of(const std::vector<aggregator::Run>& runs) {
  v1::PushRequest push;
  for (const aggregator::Run& run : runs) {
    v1::PushRequest alone;
    if (!alone.ParseFromString(aggregator::wire::encode_snapshot(run)))
      throw std::runtime_error("a run cannot be read");
    shift(*alone.mutable_runs(0), static_cast<std::uint32_t>(push.strings_size()));
    push.MergeFrom(alone);
  }
  return push.SerializeAsString();
}

}  // namespace kleptometrics::fault
