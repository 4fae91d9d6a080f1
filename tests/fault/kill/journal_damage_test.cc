// R6, the journal: one bit flipped at every byte of a journal of 64 KiB that a dead program left, and what its adoption
// makes of it. At most one run is touched: lost where its record was hit, and then counted; else as it was last
// recorded where its areas were. Nothing that was not recorded is ever made of it. (That of records and areas as such
// is proved in tests/lib/journal.)
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "aggregator/watch/adopted.h"
#include "aggregator/wire/wire.h"
#include "lib/cells/number_cell.h"
#include "lib/cells/step_cell.h"
#include "tests/fakes/runs.h"
#include "tests/fault/kill/scenario.h"
#include "tests/fault/kill/truth.h"
#include "tests/lib/journal/spool.h"

namespace kleptometrics::fault {
namespace {

using aggregator::Adopted;
using aggregator::Run;
using aggregator::Step;
namespace wire = aggregator::wire;

constexpr std::uint32_t kOpenRuns = 8;
constexpr std::uint32_t kEndedRuns = 4;

// The bytes of a journal with runs that ended and runs left open, these with more in their areas than in their records.
std::string sample() {
  const journal::test::Spool spool;
  const auto journal = spool.open();
  std::vector<std::unique_ptr<cells::StepCell>> steps;
  std::vector<std::unique_ptr<cells::NumberCell>> numbers;
  for (std::uint32_t i = 0; i < kEndedRuns; ++i)
    journal->append(wire::encode_run(fakes::finished(fakes::started("ended", 100 + i), fakes::seconds(i + 1))), true,
                    0);
  for (std::uint32_t i = 0; i < kOpenRuns; ++i) {
    Run run = fakes::started("open", i);
    run.counters["rows"] = 1;
    journal->append(wire::encode_run(run), false, 0);
    steps.push_back(std::make_unique<cells::StepCell>(*journal, run.id, "load", i + 1));
    for (std::uint64_t value = 1; value < 100; ++value) steps.back()->add(1000 + value, value % 10 == 0);
    const cells::AreaName name{cells::AreaKind::kCounter, 0, 0, run.id, "rows"};
    numbers.push_back(std::make_unique<cells::NumberCell>(*journal, name));
    numbers.back()->set(42 + i);
  }
  return journal::test::bytes_of(journal->path());
}

struct Found {
  Runs runs;                // as they are known in the end
  std::size_t counted = 0;  // damage that was noticed
};

Found found_in(std::string_view bytes, Faults& faults) {
  Found out;
  journal::Contents contents;
  const journal::ReadError error = journal::parse(bytes, &contents);
  if (error != journal::ReadError::kNone) faults.push_back("refused");
  const Adopted adopted = aggregator::adopted_from(contents, {});
  out.counted = contents.damaged + adopted.damaged + adopted.strange;
  for (const aggregator::Command& command : adopted.commands) {
    const Run& run = std::get<aggregator::ApplySnapshot>(command).run;
    if (validate(run)) faults.push_back("a run that is not valid");
    out.runs.insert_or_assign(run.id, run);
  }
  return out;
}

bool same_step(const Step& a, const Step& b) {
  return a.name == b.name && a.count == b.count && a.failed == b.failed && a.total == b.total && a.min == b.min &&
         a.max == b.max && a.sketch.count() == b.sketch.count();
}

// As left, or without what its areas say: then as in its record.
std::string compare_touched(const Run& whole, const Run& touched) {
  Run rest = touched;
  rest.steps = whole.steps;
  rest.counters = whole.counters;
  if (rest != whole) return "more than what was added up is another";
  const bool steps_fit = touched.steps.empty() ||
                         (touched.steps.size() == whole.steps.size() && same_step(touched.steps[0], whole.steps[0]));
  if (!steps_fit) return "a step that never was";
  const double rows = touched.counters.at("rows");
  return rows == whole.counters.at("rows") || rows == 1 ? "" : "a counter that never was";
}

void judge(const Found& whole, const Found& found, std::vector<std::string>& faults) {
  int touched = 0;
  for (const auto& [id, run] : whole.runs) {
    const auto same = found.runs.find(id);
    if (same != found.runs.end() && same->second == run) continue;
    ++touched;
    if (same != found.runs.end()) {
      if (std::string wrong = compare_touched(run, same->second); !wrong.empty()) faults.push_back(std::move(wrong));
    } else if (found.counted == 0) {
      faults.push_back("a run is lost and not counted");
    }
  }
  if (touched > 1) faults.push_back("more than one run is touched");
  if (found.runs.size() > whole.runs.size()) faults.push_back("a run that never was");
}

TEST_CASE("R6: a bit flipped at any of the 65,536 bytes of a journal touches at most one run, and no crash follows") {
  const Scenario scenario("R6, journal");
  std::string bytes = sample();
  Faults faults;
  const Found whole = found_in(bytes, faults);
  REQUIRE(whole.runs.size() == kOpenRuns + kEndedRuns);
  REQUIRE(whole.runs.at(fakes::id_of(0)).steps.at(0).count == 99);
  std::size_t touched = 0;
  for (std::size_t offset = 0; offset < bytes.size() && faults.empty(); ++offset) {
    const char before = bytes[offset];
    bytes[offset] = static_cast<char>(before ^ (1 << (drawn(scenario.seed(), offset) % 8)));
    const Found found = found_in(bytes, faults);
    bytes[offset] = before;
    judge(whole, found, faults);
    touched += found.counted != 0 ? 1 : 0;
    if (!faults.empty()) faults.push_back("offset " + std::to_string(offset));
  }
  scenario.report(std::to_string(bytes.size()) + " bytes flipped, " + std::to_string(touched) + " of them noticed");
  require_none(scenario, faults);
}

}  // namespace
}  // namespace kleptometrics::fault
