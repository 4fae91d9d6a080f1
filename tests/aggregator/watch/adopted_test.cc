// What the journal of a dead program comes to: arithmetic on what was read, and on journals that a cell wrote.
#include "aggregator/watch/adopted.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "aggregator/wire/wire.h"
#include "lib/base/limits.h"
#include "lib/cells/number_cell.h"
#include "lib/cells/step_cell.h"
#include "tests/fakes/runs.h"
#include "tests/lib/journal/spool.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator {
namespace {

using cells::RunRemains;
using cells::StepTotals;
using fakes::kStart;
using fakes::started;

StepTotals totals(std::uint64_t count, std::uint64_t each = 1000) {
  StepTotals out;
  out.count = count;
  out.total = count * each;
  out.min = out.max = each;
  out.sketch.add(each, count);
  return out;
}

Step step(std::string name, std::uint64_t count) {
  Step out;
  out.name = std::move(name);
  out.count = count;
  out.total = count;
  out.min = out.max = 1;
  out.sketch.add(1, count);
  return out;
}

RunRemains left(std::vector<std::pair<std::string, StepTotals>> steps) {
  RunRemains out;
  out.steps = std::move(steps);
  return out;
}

const Run& run_in(const Command& command) { return std::get<ApplySnapshot>(command).run; }

TEST_CASE("a step counts as it was left, unless the snapshot knows more of it, and new ones follow in order") {
  Run run = started("job", 1);
  run.steps = {step("load", 5), step("price", 9), step("write", 2)};
  REQUIRE(lay_over(run, left({{"zip", totals(1)}, {"load", totals(7)}, {"price", totals(8)}, {"again", totals(3)}})));
  REQUIRE(run.steps.size() == 5);
  CHECK(run.steps[0].name == "load");
  CHECK(run.steps[0].count == 7);
  CHECK(run.steps[0].total == 7000);
  CHECK(run.steps[0].sketch.count() == 7);
  CHECK(run.steps[1] == step("price", 9));
  CHECK(run.steps[2] == step("write", 2));
  CHECK(run.steps[3].name == "zip");
  CHECK(run.steps[4].name == "again");
}

TEST_CASE("counters and progress are as they were left, others as they were told") {
  Run run = started("job", 1);
  run.counters = {{"rows", 5.0}, {"files", 2.0}};
  run.progress = 0.25;
  RunRemains remains;
  remains.counters = {{"rows", 4.0}, {"bytes", 1.5}};
  REQUIRE(lay_over(run, remains));
  CHECK(run.counters == std::map<std::string, double, std::less<>>{{"rows", 4.0}, {"files", 2.0}, {"bytes", 1.5}});
  CHECK(run.progress == 0.25);
  remains.progress = 0.75;
  REQUIRE(lay_over(run, remains));
  CHECK(run.progress == 0.75);
}

TEST_CASE("more steps and counters than a run may have are left out") {
  Run run = started("job", 1);
  for (std::size_t i = 0; i + 1 < limits::step_count_max; ++i) run.steps.push_back(step("s" + std::to_string(i), 1));
  for (std::size_t i = 0; i < limits::counter_count_max; ++i) run.counters["c" + std::to_string(i)] = 1;
  RunRemains remains = left({{"one", totals(1)}, {"two", totals(1)}, {"s0", totals(9)}});
  remains.counters = {{"more", 1}, {"c0", 5}};
  REQUIRE(lay_over(run, remains));
  CHECK(run.steps.size() == limits::step_count_max);
  CHECK(run.steps.back().name == "one");
  CHECK(run.steps.front().count == 9);
  CHECK(run.counters.size() == limits::counter_count_max);
  CHECK(run.counters.at("c0") == 5);
  CHECK_FALSE(validate(run));
}

TEST_CASE("distributions are made coarser until the run fits") {
  Run run = started("job", 1);
  RunRemains remains;
  for (std::size_t i = 0; i < limits::step_count_max; ++i) {
    StepTotals wide;
    for (std::uint64_t value = 1; value < (std::uint64_t{1} << 40U); value += value / 50 + 1) {
      wide.sketch.add(value);
      wide.total += value;
      wide.max = value;
      ++wide.count;
    }
    wide.min = 1;
    remains.steps.emplace_back("s" + std::to_string(i), std::move(wide));
  }
  const std::uint64_t count = remains.steps[0].second.count;
  REQUIRE(lay_over(run, std::move(remains)));
  CHECK(wire::encode_snapshot(run).size() <= limits::run_bytes_max);
  REQUIRE(run.steps.size() == limits::step_count_max);
  CHECK(run.steps[7].count == count);
  CHECK(run.steps[7].sketch.count() == count);
  CHECK(run.steps[7].sketch.scale() < Sketch::kScale);
}

TEST_CASE("what makes no valid run, or one too large, leaves the snapshot as it was") {
  Run run = started("job", 1);
  run.steps = {step("load", 5)};
  const Run before = run;
  CHECK_FALSE(lay_over(run, left({{"bad\nname", totals(1)}})));
  StepTotals impossible = totals(9);
  impossible.failed = 10;
  CHECK_FALSE(lay_over(run, left({{"load", impossible}})));
  RunRemains remains;
  for (std::size_t i = 0; i < limits::step_count_max - 1; ++i)
    remains.steps.emplace_back(std::to_string(1000 + i) + std::string(limits::step_path_bytes_max - 4, 'x'), totals(1));
  CHECK_FALSE(lay_over(run, remains));
  CHECK(run == before);
}

TEST_CASE("a journal comes to its runs as they stand, and to a verdict on each that is open, areas and all") {
  const journal::test::Spool spool;
  const auto journal = spool.open(1U << 20U);
  Run open = started("job", 1);
  open.steps = {step("load", 1)};
  const Run ended = fakes::finished(started("job", 2), fakes::seconds(5));
  journal->append(wire::encode_run(open), false, 0);
  journal->append(wire::encode_run(ended), true, 0);
  journal->append("no run", false, 0);
  cells::StepCell load(*journal, open.id, "load", 1);
  cells::StepCell of_other(*journal, ended.id, "load", 2);
  for (std::uint64_t i = 1; i <= 100; ++i) load.add(i, i % 10 == 0);
  of_other.add(1, false);
  cells::NumberCell rows(*journal, {cells::AreaKind::kCounter, 0, 0, open.id, "rows"});
  rows.set(42);

  const Adopted adopted = adopted_from(journal::test::contents_of(*journal), End{End::How::kGone, kStart + 7});
  CHECK(adopted.crashed == 1);
  CHECK(adopted.strange == 1);
  CHECK(adopted.damaged == 0);
  REQUIRE(adopted.commands.size() == 3);
  CHECK(run_in(adopted.commands[0]) == open);
  CHECK(run_in(adopted.commands[1]) == ended);
  const Run& verdict = run_in(adopted.commands[2]);
  CHECK(verdict.state == State::kCrashed);
  CHECK(verdict.verdict);
  CHECK(verdict.duration == 7);
  REQUIRE(verdict.steps.size() == 1);
  CHECK(verdict.steps[0].count == 100);
  CHECK(verdict.steps[0].failed == 10);
  CHECK(verdict.steps[0].total == 5050);
  CHECK(verdict.counters.at("rows") == 42);
  CHECK_FALSE(validate(verdict));
}

TEST_CASE("a run gets one verdict, by its last snapshot, that says what its program had dropped") {
  const journal::test::Spool spool;
  const auto journal = spool.open();
  Run open = started("job", 1);
  journal->append(wire::encode_run(open), false, 0);
  open.revision += 1;
  open.counters["rows"] = 7;
  journal->append(wire::encode_run(open), false, 0);
  journal::Contents contents = journal::test::contents_of(*journal);
  contents.dropped = 3;
  const Adopted adopted = adopted_from(contents, End{});
  CHECK(adopted.crashed == 1);
  REQUIRE(adopted.commands.size() == 3);
  const Run& verdict = run_in(adopted.commands[2]);
  CHECK(verdict.counters.at("rows") == 7);
  CHECK(verdict.dropped == 3);
}

TEST_CASE("areas that contradict themselves are counted, and the snapshot stands for them") {
  const journal::test::Spool spool;
  const auto journal = spool.open();
  Run open = started("job", 1);
  open.counters["rows"] = 7;
  journal->append(wire::encode_run(open), false, 0);
  cells::NumberCell rows(*journal, {cells::AreaKind::kCounter, 0, 0, open.id, "rows"});
  rows.set(42);
  journal::Contents contents = journal::test::contents_of(*journal);
  REQUIRE(contents.areas.size() == 1);
  for (char& byte : contents.areas[0].open) byte = static_cast<char>(byte ^ 0x40);
  const Adopted adopted = adopted_from(contents, End{});
  CHECK(adopted.damaged == 1);
  CHECK(run_in(adopted.commands[1]).counters.at("rows") == 7);
}

}  // namespace
}  // namespace kleptometrics::aggregator
