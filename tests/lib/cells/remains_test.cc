// What is found of a run in the journal of a program that died.
#include "lib/cells/remains.h"

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "lib/cells/number_cell.h"
#include "lib/cells/step_cell.h"
#include "tests/lib/journal/spool.h"
#include "tests/support/catch.h"

namespace kleptometrics::cells {
namespace {

constexpr Uuid kRun{{1, 2, 3}};
constexpr Uuid kOther{{9}};

AreaName number(AreaKind kind, std::string_view name) { return {kind, 0, 0, kRun, name}; }

// A program's journal, and what another program finds in it.
struct Program {
  explicit Program(std::size_t bytes = 1U << 20U) : journal(spool.open(bytes)) {}

  std::unique_ptr<StepCell> cell(std::string_view path, std::uint64_t id, const Uuid& run = kRun) {
    return std::make_unique<StepCell>(*journal, run, path, id);
  }
  std::string bytes() const { return journal::test::bytes_of(journal->path()); }
  RunRemains left(const Uuid& run = kRun) const { return found(bytes(), run); }
  static RunRemains found(const std::string& bytes, const Uuid& run = kRun) {
    const journal::Contents contents = journal::test::parsed(bytes);
    return Remains(contents.areas).of(run);
  }

  journal::test::Spool spool;
  std::unique_ptr<journal::Writer> journal;
};

void check_same(const StepTotals& found, const StepTotals& truth) {
  CHECK(found.count == truth.count);
  CHECK(found.failed == truth.failed);
  CHECK(found.total == truth.total);
  CHECK(found.min == truth.min);
  CHECK(found.max == truth.max);
  CHECK(found.sketch == truth.sketch);
}

TEST_CASE("nothing is left of a run that added nothing, and nothing of one that is unknown") {
  Program program;
  const auto cell = program.cell("load", 1);
  CHECK(program.left().steps.empty());
  CHECK(program.left(kOther).steps.empty());
  CHECK_FALSE(program.left().progress.has_value());
  CHECK(program.left().damaged == 0);
}

TEST_CASE("steps are left to the last execution, those of several threads added up, in order of first use") {
  Program program;
  const auto load = program.cell("load", 1);
  const auto price = program.cell("load/price", 2);
  const auto load_elsewhere = program.cell("load", 3);
  const auto foreign = program.cell("load", 4, kOther);
  for (std::uint64_t i = 1; i <= 1000; ++i) {
    load->add(i, false);
    load_elsewhere->add(i * 1000, i == 7);
    price->add(0, false);
  }
  foreign->add(5, false);
  const RunRemains left = program.left();
  REQUIRE(left.steps.size() == 2);
  CHECK(left.steps[0].first == "load");
  StepTotals both = load->totals();
  both.add(load_elsewhere->totals());
  check_same(left.steps[0].second, both);
  CHECK(left.steps[1].first == "load/price");
  check_same(left.steps[1].second, price->totals());
  CHECK(program.left(kOther).steps.at(0).second.count == 1);
}

TEST_CASE("counters and progress are left at their last value") {
  Program program;
  NumberCell rows(*program.journal, number(AreaKind::kCounter, "rows"));
  NumberCell unset(*program.journal, number(AreaKind::kCounter, "unset"));
  NumberCell progress(*program.journal, number(AreaKind::kProgress, {}));
  for (int i = 1; i <= 5; ++i) rows.set(rows.get() + 0.5);
  progress.set(0.25);
  const RunRemains left = program.left();
  CHECK(left.counters == std::map<std::string, double>{{"rows", 2.5}});
  CHECK(left.progress == 0.25);
}

TEST_CASE("of a step that partly lies in memory nothing is told") {
  Program program(64U << 10U);
  const auto early = program.cell("early", 1);
  early->add(5, false);
  std::vector<std::unique_ptr<StepCell>> filling;
  for (std::uint64_t i = 2; i < 100; ++i) filling.push_back(program.cell("filling", i));
  REQUIRE_FALSE(filling.back()->in_journal());
  for (std::size_t i = 0; i < StepArea::kRecent; ++i) early->add(1'000'000, false);  // no room for their octave
  CHECK(program.left().steps.empty());
}

TEST_CASE("a program killed while it adds leaves what it had added") {
  std::mt19937_64 random(20261125);
  for (int round = 0; round < 20; ++round) {
    const journal::test::Spool spool;
    const journal::test::Pipe ready;
    journal::test::Child child([&] {
      const auto journal = journal::Writer::open(spool.options(1U << 20U), nullptr);
      StepCell cell(*journal, kRun, "load", 1);
      ready.say();
      for (std::uint64_t i = 0;; ++i) cell.add(i % 1000, i % 2 == 0);
      return 0;
    });
    ready.hear();
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000));
    child.kill();
    child.wait();
    const auto path = std::filesystem::directory_iterator(spool.path())->path();
    const RunRemains left = Program::found(journal::test::bytes_of(path));
    if (left.steps.empty()) continue;  // killed before its first
    const StepTotals& totals = left.steps[0].second;
    INFO("round " << round << " count " << totals.count);
    CHECK(left.damaged == 0);
    // The values of i < count, exactly.
    std::uint64_t total = 0;
    for (std::uint64_t i = 0; i < totals.count; ++i) total += i % 1000;
    CHECK(totals.total == total);
    CHECK(totals.failed == (totals.count + 1) / 2);
    CHECK(totals.sketch.count() == totals.count);
  }
}

TEST_CASE("damage is counted, never told as truth, and never a danger") {
  Program program(64U << 10U);
  const auto cell = program.cell("load", 1);
  NumberCell rows(*program.journal, number(AreaKind::kCounter, "rows"));
  for (std::uint64_t i = 1; i <= 100; ++i) cell->add(i, false);
  rows.set(42);
  const std::string whole = program.bytes();
  const StepTotals truth = cell->totals();
  std::size_t missing = 0;
  const std::size_t begin = whole.find_first_not_of('\0', journal::kHeadBytes);
  for (std::size_t at = begin; at < std::min(whole.size(), begin + 40 * journal::kUnitBytes); ++at) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    const RunRemains left = Program::found(bytes);
    if (left.steps.empty()) {
      ++missing;
    } else {
      const StepTotals& found = left.steps[0].second;
      CHECK(found.count == truth.count);
      CHECK(found.total == truth.total);
      CHECK(found.max == truth.max);
      CHECK(found.sketch.count() == truth.count);
    }
    const auto counter = left.counters.find("rows");
    if (counter != left.counters.end()) CHECK(counter->second == 42);
  }
  CHECK(missing > 0);
}

// The areas of a program that lies, with checks as they should be.
struct Liar : Program {
  // `rounds` are folded, with these sums, and lie in buckets as `words` say.
  void step(std::string_view path, std::uint64_t rounds, TwinSlots<StepArea::kSums>::Words sums,
            std::initializer_list<std::uint64_t> words) {
    auto* const area = reserve<StepArea>(*journal, {AreaKind::kStepCell, 0, ++cells, kRun, path});
    REQUIRE(area != nullptr);
    area->folded.write(rounds, sums);
    area->table = 1;
    auto* const table = reserve_words(*journal, {AreaKind::kTable, 1, cells, kRun, {}}, Buckets::kWordsMin);
    REQUIRE(table != nullptr);
    std::copy(words.begin(), words.end(), table);
  }
  static constexpr std::uint64_t hits(std::uint64_t key, std::uint64_t count) { return (3 * key << 50U) + count; }
  std::uint64_t cells = 0;
};

TEST_CASE("a step whose sums no executions can have is left out and counted, and costs no other") {
  Liar liar;
  const auto words = {Liar::hits(5, 32)};
  liar.step("honest", 1, {1, 200, 0, 20}, words);
  liar.step("failed more often than it ran", 1, {33, 200, 0, 20}, words);
  liar.step("shortest above longest", 1, {0, 200, 20, 10}, words);
  liar.step("longest above total", 1, {0, 20, 0, 30}, words);
  liar.step("fewer than it ran", 2, {0, 200, 0, 20}, words);
  const RunRemains left = liar.left();
  REQUIRE(left.steps.size() == 1);
  CHECK(left.steps[0].first == "honest");
  CHECK(left.damaged == 4);
}

TEST_CASE("counts that run over 64 bits do not pass for those of a step") {
  Liar liar;
  liar.step("wraps", (std::uint64_t{1} << 59U) + 1, {0, 20, 0, 20}, {Liar::hits(1, 32)});
  const RunRemains left = liar.left();
  CHECK(left.steps.empty());
  CHECK(left.damaged == 1);
}

TEST_CASE("cells that together exceed what can be kept are left out and counted") {
  Liar liar;
  for (int i = 0; i < 2; ++i) liar.step("long", 1, {0, INT64_MAX, 1, INT64_MAX}, {Liar::hits(5, 32)});
  const RunRemains left = liar.left();
  CHECK(left.steps.empty());
  CHECK(left.damaged == 1);
}

TEST_CASE("progress beyond its end is left out and counted") {
  Program program;
  NumberCell progress(*program.journal, number(AreaKind::kProgress, {}));
  progress.set(1.5);
  CHECK_FALSE(program.left().progress.has_value());
  CHECK(program.left().damaged == 1);
}

}  // namespace
}  // namespace kleptometrics::cells
