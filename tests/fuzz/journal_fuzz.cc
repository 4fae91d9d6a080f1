// Fuzz target: the bytes of a journal, read as by whoever adopts it, and what its areas say of every run named in them.
// journal_mutator.cc makes the inputs: without it hardly one would get past the checksums.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string_view>

#include "lib/base/limits.h"
#include "lib/cells/remains.h"
#include "lib/journal/format.h"
#include "lib/journal/journal.h"
#include "tests/fuzz/expect.h"

namespace kleptometrics {
namespace {

using fuzz::expect;
using journal::Contents;
using journal::ReadError;

void check_refusal(ReadError error, const Contents& contents) {
  if (error == ReadError::kNone) return;
  expect(error == ReadError::kDamagedHead || error == ReadError::kNewer, "parse answers with one of three");
  expect(contents.producer.pid == 0 && contents.producer.program.empty(), "a head that is damaged names no producer");
  if (error == ReadError::kDamagedHead) return;
  expect(contents.records.empty() && contents.areas.empty(), "nothing is taken out of a newer journal");
}

// What was read lies in the file, each unit of it in one record or area.
void check_sizes(const Contents& contents, std::size_t file_bytes) {
  std::size_t units = 0;
  for (const journal::Record& record : contents.records) units += journal::units_of(record.payload.size());
  for (const journal::AreaBytes& area : contents.areas)
    units += journal::units_of(journal::open_part_at(area.fixed.size()) + area.open.size());
  // Of the last record the unit may be cut behind its last byte.
  expect(units <= (file_bytes + journal::kUnitBytes - 1) / journal::kUnitBytes, "no unit is read twice");
}

void check_records(const Contents& contents) {
  const auto by_sequence = [](const journal::Record& a, const journal::Record& b) { return a.sequence < b.sequence; };
  expect(std::is_sorted(contents.records.begin(), contents.records.end(), by_sequence), "records come by sequence");
  for (const journal::Record& record : contents.records) expect(record.sequence != 0, "no record has the sequence 0");
}

void check_step(const cells::StepTotals& step) {
  expect(step.count != 0, "a step that was left was executed");
  expect(step.sketch.count() == step.count, "its distribution is that of its executions");
  expect(step.failed <= step.count, "no more executions failed than there were");
  expect(step.min <= step.max, "the shortest execution is not longer than the longest");
  expect(step.max <= step.total, "the longest execution is part of the total");
}

void check_remains(const cells::RunRemains& left) {
  expect(left.steps.size() <= limits::step_count_max, "a run has no more steps than the limit");
  expect(left.counters.size() <= limits::counter_count_max, "a run has no more counters than the limit");
  std::set<std::string_view> paths;
  for (const auto& [path, step] : left.steps) {
    expect(paths.insert(path).second, "a step is told once");
    check_step(step);
  }
  for (const auto& [name, value] : left.counters) expect(std::isfinite(value), "a counter is finite");
  if (left.progress) expect(*left.progress >= 0 && *left.progress <= 1, "progress lies from 0 to 1");
}

std::set<Uuid> runs_named_in(const Contents& contents) {
  std::set<Uuid> runs{Uuid{}};  // and one that is unlikely to be there
  for (const journal::AreaBytes& area : contents.areas)
    if (const auto name = cells::AreaName::parse(area.fixed)) runs.insert(name->run);
  return runs;
}

void read_as_journal(std::string_view bytes) {
  Contents contents;
  const ReadError error = journal::parse(bytes, &contents);
  check_refusal(error, contents);
  check_sizes(contents, bytes.size());
  check_records(contents);
  const cells::Remains remains(contents.areas);
  std::size_t damaged = 0;
  for (const Uuid& run : runs_named_in(contents)) {
    const cells::RunRemains left = remains.of(run);
    check_remains(left);
    damaged += left.damaged;
  }
  expect(damaged <= contents.areas.size(), "an area is counted as damaged once");
}

}  // namespace
}  // namespace kleptometrics

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  kleptometrics::read_as_journal({reinterpret_cast<const char*>(data), size});
  return 0;
}
