#include "tests/fault/kill/lives.h"

#include <string>

namespace kleptometrics::fault {
namespace {

using aggregator::Run;
using aggregator::State;

State state_of(Ending ending) {
  return ending == Ending::kSucceed ? State::kSucceeded : ending == Ending::kFail ? State::kFailed : State::kCanceled;
}

std::uint64_t worked_in(const Run& run) {
  for (const aggregator::Step& step : run.steps)
    if (step.name == "work") return step.count;
  return 0;
}

std::uint64_t counted_in(const Run& run) {
  const auto rows = run.counters.find("rows");
  return rows == run.counters.end() ? 0 : static_cast<std::uint64_t>(rows->second);
}

// What is there of a sum that was told of, and may have grown by a burst since.
std::string compare_sum(const char* what, std::uint64_t told, std::uint64_t found, bool exactly) {
  if (found >= told && found <= told + (exactly ? 0 : kBurstMax)) return "";
  return std::string(": ") + what + " told " + std::to_string(told) + ", found " + std::to_string(found);
}

}  // namespace

void Lives::add(const LiveReporter& dead) {
  Life& life = lives_[dead.seed()];
  for (const Told& told : dead.told()) note(life, told);
}

void Lives::note(Life& life, const Told& told) {
  if (told.kind == Told::kReady) life.durable = told.value != 0;
  if (told.kind == Told::kReady) return;
  if (told.kind == Told::kRecorded) {
    life.past.insert(told.run);
    return;
  }
  Known& known = life.runs[told.run];
  if (told.kind == Told::kLabelled) known.labelled = true;
  if (told.kind == Told::kWorked) known.worked = told.value;
  if (told.kind == Told::kCounted) known.counted = told.value;
  if (told.kind == Told::kProgress) known.progress = told.value;
  if (told.kind == Told::kEnded) known.ended = true;
}

std::size_t Lives::runs() const {
  std::size_t sum = 0;
  for (const auto& [seed, life] : lives_) sum += life.runs.size() + life.past.size();
  return sum;
}

std::size_t Lives::left_open() const {
  std::size_t sum = 0;
  for (const auto& [seed, life] : lives_)
    for (const auto& [number, known] : life.runs) sum += known.ended ? 0 : 1;
  return sum;
}

void Lives::compare(std::uint64_t seed, std::uint32_t number, const Known& known, const Run& run, Faults& faults) {
  std::string wrong;
  const State own = state_of(ending_of(seed, number));
  // A program killed in the call that ends a run may have ended it, and never could say so.
  const bool state_fits = run.state == own && number != kOuterRun ? true : run.state == State::kCrashed && !known.ended;
  if (!state_fits) wrong += ": it is " + std::string(name_of(run.state));
  if (run.state == State::kCrashed && (!run.verdict || !run.failure)) wrong += ": crashed by no verdict";
  if (known.labelled && run.labels.count(kLabel) == 0) wrong += ": its label is gone";
  wrong += compare_sum("steps", known.worked, worked_in(run), known.ended);
  wrong += compare_sum("counter", known.counted, counted_in(run), known.ended);
  if (known.progress && !run.progress) wrong += ": its progress is gone";
  if (!wrong.empty()) faults.push_back(run.id.text() + wrong);
}

// Every run stored is one that was told of, or the very next.
bool Lives::may_be_there(const Uuid& id) const {
  for (const auto& [seed, life] : lives_) {
    const std::uint64_t number = number_in(id);
    if (id == id_of(seed, number)) {
      const bool past = number >= kPastNumbers;
      const std::uint64_t last =
          past ? (life.past.empty() ? 0 : *life.past.rbegin()) : (life.runs.empty() ? 0 : life.runs.rbegin()->first);
      return number - (past ? kPastNumbers : 0) <= last + 1;
    }
  }
  return false;
}

std::vector<PastRun> Lives::past_among(const Runs& stored) const {
  std::vector<PastRun> out;
  for (const auto& [seed, life] : lives_)
    for (const auto& [id, run] : stored)
      if (number_in(id) >= kPastNumbers && id == id_of(seed, number_in(id))) out.emplace_back(seed, number_in(id));
  return out;
}

Faults Lives::compare_with(const Runs& stored) const {
  Faults faults;
  const auto find = [&](const Uuid& id) {
    const auto found = stored.find(id);
    if (found == stored.end()) faults.push_back(id.text() + " is lost");
    return found;
  };
  for (const auto& [seed, life] : lives_) {
    if (!life.runs.empty() && !life.durable) faults.push_back("a program had no journal");
    for (const auto& [number, known] : life.runs)
      if (const auto found = find(id_of(seed, number)); found != stored.end())
        compare(seed, number, known, found->second, faults);
    for (const std::uint32_t number : life.past) {
      const PastRun past(seed, kPastNumbers + number);
      if (const auto found = find(past.id); found != stored.end()) fault::compare(found->second, past, faults);
    }
  }
  for (const auto& [id, run] : stored)
    if (!may_be_there(id)) faults.push_back(id.text() + " is stored, and nobody recorded it");
  return faults;
}

}  // namespace kleptometrics::fault
