// Journals of programs that were never there: the real writer and the real cells fill a file, which then gets a head
// with a producer and a key that are always the same.
#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "lib/cells/number_cell.h"
#include "lib/cells/step_cell.h"
#include "lib/journal/format.h"
#include "lib/journal/journal.h"
#include "tests/fuzz/journal_repair.h"
#include "tests/fuzz/seeds.h"
#include "tests/support/temp_dir.h"

namespace kleptometrics::fuzz {
namespace {

using cells::AreaKind;
using cells::NumberCell;
using cells::StepCell;

constexpr std::size_t kBytes = 64U << 10U;
constexpr Uuid kRun{{1, 2, 3, 4, 5, 6, 0x70, 8, 0x80, 10, 11, 12, 13, 14, 15, 16}};
constexpr Uuid kOther{{2, 2, 3, 4, 5, 6, 0x70, 8, 0x80, 10, 11, 12, 13, 14, 15, 16}};
constexpr journal::Key kKey = 0x0123456789abcdef;

// The checksum of a record that was retired is of the writer's own key, which is another every time.
void wipe_dead_checksums(std::string& bytes) {
  for (std::size_t at = journal::kHeadBytes; at < bytes.size(); at += journal::kUnitBytes) {
    journal::RecordHead head = journal::read_record_head(bytes.data() + at);
    head.crc = 0;
    if (head.mark == journal::kDead) journal::write_record_head(head, bytes.data() + at);
  }
}

class Program {
 public:
  Program() : journal_(journal::Writer::open(options(), nullptr)) {
    if (journal_ == nullptr || !journal_->durable()) throw std::runtime_error("cannot make a journal");
  }

  // Eight runs, each recorded until it ended or the program died.
  void record() {
    for (int run = 0; run < 8; ++run) {
      journal::Sequence last = 0;
      for (int snapshot = 0; snapshot <= run; ++snapshot)
        last = journal_->append(std::string(static_cast<std::size_t>(20 + 30 * run), static_cast<char>('a' + run)),
                                run % 2 == 0 && snapshot == run, last);
      if (run % 3 == 1) journal_->delivered(last);
    }
  }

  // Steps of two runs, one of them on two threads; durations of 0, short and long.
  void add_up() {
    for (const auto& [run, path] : {std::pair(kRun, "load"), {kRun, "load/parse"}, {kOther, "load"}, {kRun, "load"}})
      cells_.push_back(std::make_unique<StepCell>(*journal_, run, path, cells_.size() + 1));
    for (std::uint64_t i = 0; i < 40; ++i)
      for (auto& cell : cells_) cell->add(i % 8 == 0 ? 0 : 1'000 + i * 13, i % 5 == 0);
    cells_.front()->add(30'000'000'000, false);
    number(AreaKind::kCounter, "rows", 120'000);
    number(AreaKind::kCounter, "unset", std::vector<double>{});
    number(AreaKind::kProgress, {}, 0.75);
  }

  // More cells than there is room for in areas, so that some lie in memory.
  void crowd() {
    for (std::uint64_t i = 100; i < 180; ++i) {
      cells_.push_back(std::make_unique<StepCell>(*journal_, kRun, "crowded", i));
      cells_.back()->add(i, false);
    }
  }

  // The file as a reader finds it, up to the last unit that was ever used or, `whole`, all of it.
  std::string left(bool whole = false) const {
    std::ifstream in(journal_->path(), std::ios::binary);
    std::string bytes(std::istreambuf_iterator<char>(in), {});
    const std::size_t used = bytes.find_last_not_of('\0') / journal::kUnitBytes * journal::kUnitBytes;
    // An area may end in zeros that are its own.
    if (!whole) bytes.resize(std::min(bytes.size(), used + 24 * journal::kUnitBytes));
    journal::write_head(
        {{4242, 123'456, 4'026'531'836, "7d0e4f5c-0000-4000-8000-000000000001", "nightly_billing"}, bytes.size(), kKey},
        bytes.data());
    wipe_dead_checksums(bytes);
    JournalRepair(bytes.data(), bytes.size()).checksums();
    return bytes;
  }

 private:
  journal::Writer::Options options() const {
    journal::Writer::Options options;
    options.directory = spool_.path();
    options.bytes = kBytes;
    return options;
  }

  void number(AreaKind kind, std::string_view name, std::vector<double> values) {
    numbers_.push_back(std::make_unique<NumberCell>(*journal_, cells::AreaName{kind, 0, 0, kRun, name}));
    for (const double value : values) numbers_.back()->set(value);
  }
  void number(AreaKind kind, std::string_view name, double value) { number(kind, name, std::vector{value / 2, value}); }

  tests::TempDir spool_;
  std::unique_ptr<journal::Writer> journal_;
  std::vector<std::unique_ptr<StepCell>> cells_;
  std::vector<std::unique_ptr<NumberCell>> numbers_;
};

}  // namespace

std::map<std::string, std::string> journal_seeds() {
  std::map<std::string, std::string> seeds;
  Program records;
  records.record();
  seeds["whole-records"] = records.left();
  Program steps;
  steps.add_up();
  seeds["whole-steps"] = steps.left();
  Program both;
  both.record();
  both.add_up();
  seeds["whole-both-in-a-large-file"] = both.left(true);
  std::string cut = both.left();
  cut.resize(cut.size() - 100);
  seeds["cut-within-the-last"] = cut;
  std::string damaged = records.left();
  damaged[100] = damaged[2148] = 'X';
  seeds["damaged-heads"] = damaged;
  Program crowded;
  crowded.crowd();
  seeds["whole-crowded"] = crowded.left();
  return seeds;
}

}  // namespace kleptometrics::fuzz
