// kill -9 at any instruction: what append has returned is found, and what it has retired is not.
#include <sched.h>
#include <sys/mman.h>

#include <array>
#include <atomic>
#include <random>
#include <set>

#include "tests/lib/journal/spool.h"

namespace kleptometrics::journal::test {
namespace {

constexpr std::size_t kRuns = 8;

// Where the child notes, for each run, the last revision whose append has returned. Shared memory instead of
// a pipe, so that the kill rarely finds the child in a system call.
struct Notes {
  std::array<std::atomic<std::uint32_t>, kRuns> revisions{};
  std::atomic<std::uint32_t> total{0};
};

class SharedNotes {
 public:
  SharedNotes() {
    void* memory = ::mmap(nullptr, sizeof(Notes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    notes_ = new (memory) Notes;
  }
  ~SharedNotes() { ::munmap(notes_, sizeof(Notes)); }
  SharedNotes(const SharedNotes&) = delete;
  SharedNotes& operator=(const SharedNotes&) = delete;
  Notes* operator->() const { return notes_; }

 private:
  Notes* notes_;
};

constexpr std::size_t kPayloadBytesMax = 3000;

// Run and revision, then filling that makes each unit begin like a live record, if `evil`. Made anew in
// place, so that the child spends its time in append and not in making payloads.
class Payload {
 public:
  explicit Payload(bool evil) : text_(kPayloadBytesMax, 'x') {
    for (std::size_t i = 0; evil && i < text_.size(); ++i) text_[i] = "LIVE"[i % 4];
  }
  std::string_view of(std::size_t run, std::uint32_t revision, std::size_t size) {
    const int used = std::snprintf(text_.data(), kNumbersBytes, "%zu %u", run, revision);
    text_[static_cast<std::size_t>(used)] = ' ';
    return std::string_view(text_).substr(0, std::max(size, kNumbersBytes));
  }

 private:
  static constexpr std::size_t kNumbersBytes = 24;
  std::string text_;
};

int append_for_ever(const Spool& spool, const SharedNotes& notes, std::uint64_t seed, bool evil) {
  const auto writer = Writer::open(spool.options(), nullptr);
  if (!writer->durable()) return 1;
  std::mt19937_64 random(seed);
  std::array<Sequence, kRuns> newest{};
  Payload payload(evil);
  for (;;) {
    const std::size_t run = random() % kRuns;
    const std::uint32_t revision = notes->revisions[run] + 1;
    newest[run] = writer->append(payload.of(run, revision, random() % kPayloadBytesMax), false, newest[run]);
    if (newest[run] == 0) return 2;
    notes->revisions[run] = revision;
    notes->total.fetch_add(1);
  }
}

std::filesystem::path only_file(const Spool& spool) {
  REQUIRE(spool.file_count() == 1);
  return std::filesystem::directory_iterator(spool.path())->path();
}

// Of a run with a noted revision n the file holds n, or n and n + 1, or n + 1: no other revision.
void require_newest(const Contents& contents, const SharedNotes& notes) {
  std::array<std::set<std::uint32_t>, kRuns> found;
  for (const Record& record : contents.records) {
    std::size_t run = 0;
    std::uint32_t revision = 0;
    REQUIRE(std::sscanf(record.payload.c_str(), "%zu %u ", &run, &revision) == 2);
    REQUIRE(run < kRuns);
    found[run].insert(revision);
  }
  for (std::size_t run = 0; run < kRuns; ++run) {
    const std::uint32_t noted = notes->revisions[run];
    INFO("run " << run << ", noted revision " << noted);
    if (noted > 0) REQUIRE_FALSE(found[run].empty());
    for (const std::uint32_t revision : found[run]) REQUIRE((revision == noted || revision == noted + 1));
  }
}

void kill_and_look(std::uint64_t seed, bool evil) {
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  const Spool spool;
  const SharedNotes notes;
  Child child([&] { return append_for_ever(spool, notes, seed, evil); });
  const auto enough = static_cast<std::uint32_t>(1 + random() % 3000U);
  while (notes->total < enough) ::sched_yield();
  for (auto spins = random() % 5000U; spins > 0; --spins) std::atomic_signal_fence(std::memory_order_seq_cst);
  child.kill();
  REQUIRE(child.wait() == -1);
  ReadError error = ReadError::kNone;
  const auto adoption = Adoption::open(only_file(spool), ::geteuid(), &error);
  REQUIRE(error == ReadError::kNone);
  if (!evil) REQUIRE(adoption->contents().damaged == 0);  // marks in half a payload are counted, by design
  require_newest(adoption->contents(), notes);
}

TEST_CASE("killed at thirty random moments, a program leaves the newest snapshot of each of its runs") {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) kill_and_look(seed, false);
}

TEST_CASE("killed while its payloads look like records, a program leaves no others than its own") {
  for (std::uint64_t seed = 101; seed <= 120; ++seed) kill_and_look(seed, true);
}

}  // namespace
}  // namespace kleptometrics::journal::test
