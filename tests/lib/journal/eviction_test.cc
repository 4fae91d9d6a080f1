// Which records give way when the journal is full, and that what dies stays dead.
#include <vector>

#include "tests/lib/journal/spool.h"

namespace kleptometrics::journal::test {
namespace {

std::vector<Sequence> live(const Writer& writer) {
  std::vector<Sequence> out;
  for (const Record& record : contents_of(writer).records) out.push_back(record.sequence);
  return out;
}

bool is_live(const Writer& writer, Sequence sequence) {
  const auto all = live(writer);
  return std::find(all.begin(), all.end(), sequence) != all.end();
}

// Appends records of `units` units until nothing more fits without dropping.
std::vector<Sequence> fill(Writer& writer, std::size_t units, bool terminal) {
  std::vector<Sequence> out;
  for (std::size_t used = 0; used + units <= kSmallUnits; used += units) {
    out.push_back(writer.append(filling(units), terminal, 0));
    REQUIRE(out.back() != 0);
  }
  REQUIRE(writer.dropped() == 0);
  return out;
}

TEST_CASE("one record may take the whole journal, and one byte more is refused") {
  const Spool spool;
  const auto writer = spool.open();
  REQUIRE(writer->append(filling(kSmallUnits) + "x", true, 0) == 0);
  REQUIRE(writer->append(std::string(100 * kSmall, 'x'), true, 0) == 0);
  REQUIRE(writer->dropped() == 2);
  const Sequence whole = writer->append(filling(kSmallUnits), true, 0);
  REQUIRE(whole != 0);
  REQUIRE(writer->append("", true, 0) == 0);
  REQUIRE(live(*writer) == std::vector<Sequence>{whole});
  writer->retire(whole);
  REQUIRE(writer->append(filling(kSmallUnits), true, 0) != 0);
}

TEST_CASE("a full journal drops its oldest progress first, and counts it") {
  const Spool spool;
  const auto writer = spool.open();
  auto all = fill(*writer, 2, false);
  for (std::uint64_t i = 0; i < 10; ++i) {
    const Sequence newer = writer->append(filling(2, 'y'), false, 0);
    REQUIRE(newer != 0);
    REQUIRE(writer->dropped() == i + 1);
    all.erase(all.begin());
    all.push_back(newer);
    REQUIRE(live(*writer) == all);
  }
}

TEST_CASE("terminal records outlive progress, oldest or not") {
  const Spool spool;
  const auto writer = spool.open();
  const Sequence ended = writer->append(filling(2), true, 0);
  const Sequence progress = writer->append(filling(2), false, 0);
  while (writer->dropped() == 0) writer->append(filling(2), true, 0);
  REQUIRE(is_live(*writer, ended));
  REQUIRE_FALSE(is_live(*writer, progress));
  REQUIRE(writer->append(filling(1), true, 0) == 0);
  REQUIRE(writer->append(filling(1), false, 0) == 0);
  REQUIRE(writer->dropped() == 3);
}

TEST_CASE("delivered records of open runs give way to terminal records alone, after all progress") {
  const Spool spool;
  const auto writer = spool.open();
  const auto all = fill(*writer, 2, false);
  for (const Sequence sequence : all) {
    if (sequence != all.back()) writer->delivered(sequence);
  }
  REQUIRE(writer->append(filling(2), true, 0) != 0);
  REQUIRE_FALSE(is_live(*writer, all.back()));  // the only one that was pending
  REQUIRE(writer->append(filling(2), false, 0) == 0);
  REQUIRE(writer->dropped() == 2);
  REQUIRE(is_live(*writer, all.front()));
  REQUIRE(writer->append(filling(2), true, 0) != 0);
  REQUIRE_FALSE(is_live(*writer, all.front()));
  REQUIRE(is_live(*writer, all[1]));
  REQUIRE(writer->dropped() == 3);
}

TEST_CASE("the record that is superseded is never dropped for its own successor") {
  const Spool spool;
  const auto writer = spool.open();
  const Sequence own = writer->append(filling(2), false, 0);
  for (std::size_t used = 2; used + 2 <= kSmallUnits; used += 2) writer->append(filling(2), true, 0);
  REQUIRE(writer->dropped() == 0);
  REQUIRE(is_live(*writer, own));
  REQUIRE(writer->append(filling(2, 'y'), true, own) == 0);
  REQUIRE(writer->dropped() == 1);
  REQUIRE(is_live(*writer, own));
}

TEST_CASE("a record larger than those it replaces drops neighbours, and only as many as it needs") {
  const Spool spool;
  const auto writer = spool.open();
  const auto all = fill(*writer, 2, false);
  REQUIRE(writer->append(filling(7), false, 0) != 0);
  REQUIRE(writer->dropped() == 4);
  REQUIRE(writer->live_count() == all.size() - 4 + 1);
  REQUIRE(is_live(*writer, all[4]));
}

TEST_CASE("nothing is dropped where dropping would not help") {
  const Spool spool;
  const auto writer = spool.open();
  // Progress of one unit between terminal records of three: no two units in a row can be freed.
  std::size_t used = 0;
  for (; used + 4 <= kSmallUnits; used += 4) {
    writer->append(filling(1), false, 0);
    writer->append(filling(3), true, 0);
  }
  if (used < kSmallUnits) writer->append(filling(kSmallUnits - used), true, 0);
  REQUIRE(writer->dropped() == 0);
  const std::size_t before = writer->live_count();
  REQUIRE(writer->append(filling(2), true, 0) == 0);
  REQUIRE(writer->dropped() == 1);
  REQUIRE(writer->live_count() == before);
  REQUIRE(writer->append(filling(1), true, 0) != 0);
}

TEST_CASE("a failed append retires nothing") {
  const Spool spool;
  const auto writer = spool.open();
  const auto all = fill(*writer, 2, true);
  REQUIRE(writer->append(filling(2), true, all[3]) == 0);
  REQUIRE(live(*writer) == all);
}

TEST_CASE("a program that reports one run keeps to a few units of its file") {
  const Spool spool;
  const auto writer = spool.open(1U << 20U);
  Sequence last = 0;
  for (int i = 0; i < 1000; ++i) last = writer->append(filling(3, 'z'), false, last);
  const std::string bytes = bytes_of(writer->path());
  REQUIRE(bytes.find_last_of('z') < kHeadBytes + 9 * kUnitBytes);
}

// A journal in which a record died in the second unit, and a later one covers that unit with a payload that
// says "LIVE" just there, and ends.
struct Covered {
  Covered() {
    const Sequence before = writer->append(filling(1), false, 0);
    const Sequence dead = writer->append("a record in the second unit", true, 0);
    writer->retire(before);
    writer->retire(dead);
    cover = writer->append(filling(1) + "LIVE", false, 0);
    REQUIRE(bytes_of(writer->path()).substr(kHeadBytes + kUnitBytes, 4) == "LIVE");
  }

  const Spool spool;
  const std::unique_ptr<Writer> writer = spool.open();
  Sequence cover = 0;
};

TEST_CASE("a dead record does not rise when its program is killed while it writes another over it") {
  const Covered covered;
  std::string bytes = bytes_of(covered.writer->path());
  bytes.replace(kHeadBytes, 4, 4, '\0');  // killed just before the mark was stored
  REQUIRE(parsed(bytes).records.empty());
}

TEST_CASE("a dead record does not rise when the record over it dies too") {
  const Covered covered;
  REQUIRE(live(*covered.writer) == std::vector<Sequence>{covered.cover});
  covered.writer->retire(covered.cover);
  const Contents contents = contents_of(*covered.writer);
  REQUIRE(contents.records.empty());
  REQUIRE(contents.damaged == 0);
}

TEST_CASE("a payload that looks like a record is not taken for one, dead or alive") {
  const Spool spool;
  const auto writer = spool.open();
  writer->append("the model", true, 0);
  // The unit with the record, key and all checks: a copy of it within another record.
  const std::string unit = bytes_of(writer->path()).substr(kHeadBytes, kUnitBytes);
  std::string forged = unit;
  forged[8] = 77;  // another sequence
  const Sequence cover = writer->append(filling(1) + unit + forged, true, 0);
  REQUIRE(contents_of(*writer).records.size() == 2);
  REQUIRE(contents_of(*writer).damaged == 0);
  writer->retire(cover);
  REQUIRE(contents_of(*writer).records.size() == 1);
  REQUIRE(contents_of(*writer).damaged == 0);
}

TEST_CASE("bytes of another journal are not taken for a record of this one") {
  const Spool spool;
  const auto one = spool.open();
  const auto other = spool.open();
  one->append("foreign", true, 0);
  other->append("own", true, 0);
  std::string bytes = bytes_of(other->path());
  bytes.replace(kHeadBytes + 10 * kUnitBytes, kUnitBytes, bytes_of(one->path()), kHeadBytes, kUnitBytes);
  const Contents contents = parsed(bytes);
  REQUIRE(contents.records.size() == 1);
  REQUIRE(contents.records[0].payload == "own");
  REQUIRE(contents.damaged == 1);
}

TEST_CASE("areas made while records came and went leave room for a large record") {
  const Spool spool;
  const auto writer = spool.open(1U << 20U);
  std::vector<Sequence> records;
  std::size_t areas = 0;
  for (int i = 0; i < 400; ++i) {
    records.push_back(writer->append(filling(16), true, 0));
    areas += writer->reserve("cell", 400) != nullptr ? 1U : 0U;
  }
  REQUIRE(areas == 400);
  for (const Sequence record : records) writer->retire(record);
  REQUIRE(writer->append(filling(((1U << 20U) - kHeadBytes) / kUnitBytes * 5 / 8), true, 0) != 0);
  REQUIRE(writer->dropped() == 0);
}

}  // namespace
}  // namespace kleptometrics::journal::test
