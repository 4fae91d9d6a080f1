// A journal that was cut, flipped, or made up: the record that was hit is lost and counted, and no other.
#include <map>
#include <random>
#include <vector>

#include "tests/lib/journal/spool.h"

namespace kleptometrics::journal::test {
namespace {

struct Extent {
  std::size_t begin = 0;  // in the file
  std::size_t end = 0;    // of the last byte that counts
};

// A small journal that was used for a while, and where its live records lie.
struct Sample {
  explicit Sample(std::uint64_t seed) {
    const Spool spool;
    const auto writer = spool.open();
    std::mt19937_64 random(seed);
    Sequence last = 0;
    for (int i = 0; i < 400; ++i) {
      std::string payload(random() % 300U, '\0');
      for (char& byte : payload) byte = static_cast<char>(random());
      const bool replaces = random() % 6U != 0;
      last = writer->append(payload, random() % 2U == 0, replaces ? last : 0);
    }
    bytes = bytes_of(writer->path());
    whole = parsed(bytes);
    for (const Record& record : whole.records) extents[record.sequence] = find(record);
  }

  Extent find(const Record& record) const {
    for (std::size_t at = kHeadBytes; at < bytes.size(); at += kUnitBytes) {
      const RecordHead head = read_record_head(bytes.data() + at);
      if (head.mark != kLive || head.sequence != record.sequence) continue;
      return {at, at + kRecordHeadBytes + head.length};
    }
    return {};
  }

  std::string bytes;
  Contents whole;
  std::map<Sequence, Extent> extents;
};

bool same(const Record& a, const Record& b) {
  return a.sequence == b.sequence && a.terminal == b.terminal && a.payload == b.payload;
}

// Empty if `found` is `whole`, but for `lost` (0: none); else what is wrong.
std::string difference(const Contents& whole, const Contents& found, Sequence lost) {
  std::size_t at = 0;
  for (const Record& record : whole.records) {
    if (record.sequence == lost) continue;
    if (at == found.records.size() || !same(found.records[at++], record)) {
      return "record " + std::to_string(record.sequence) + " is missing";
    }
  }
  return at == found.records.size() ? "" : "more records than there were";
}

Sequence record_at(const Sample& sample, std::size_t offset) {
  for (const auto& [sequence, extent] : sample.extents) {
    if (offset >= extent.begin && offset < extent.end) return sequence;
  }
  return 0;
}

// What is wrong with the outcome of one flipped bit.
std::string judge_flip(const Sample& sample, std::string_view bytes, std::size_t offset) {
  Contents found;
  if (parse(bytes, &found) != ReadError::kNone) return "refused";
  if (found.producer.pid != sample.whole.producer.pid) return "another producer";
  const Sequence hit = record_at(sample, offset);
  const bool lost = found.records.size() < sample.whole.records.size();
  const bool in_mark = hit != 0 && offset < sample.extents.at(hit).begin + 4;
  if (lost != (hit != 0 && !in_mark)) return lost ? "lost a record" : "the flip went unnoticed";
  if (found.damaged != (lost ? 1U : 0U)) return "counted " + std::to_string(found.damaged);
  return difference(sample.whole, found, lost ? hit : 0);
}

TEST_CASE("a bit flipped at any byte costs at most the record it hits, and that is counted") {
  const std::uint64_t seed = 3;
  INFO("seed " << seed);
  const Sample sample(seed);
  REQUIRE(sample.whole.records.size() > 40);
  std::string bytes = sample.bytes;
  for (std::size_t offset = 0; offset < bytes.size(); ++offset) {
    const char before = bytes[offset];
    bytes[offset] = static_cast<char>(before ^ (1 << (offset * 5 % 8)));
    const std::string wrong = judge_flip(sample, bytes, offset);
    bytes[offset] = before;
    if (wrong.empty()) continue;
    INFO("offset " << offset);
    REQUIRE(wrong == "");
  }
}

TEST_CASE("a journal cut anywhere still gives every record before the cut") {
  const Sample sample(4);
  for (std::size_t size = 0; size <= sample.bytes.size(); size += kUnitBytes) {
    Contents found;
    const ReadError error = parse(std::string_view(sample.bytes).substr(0, size), &found);
    INFO("cut to " << size);
    REQUIRE(error == (size < kHeadBytes / 2 ? ReadError::kDamagedHead : ReadError::kNone));
    std::size_t expected = 0;
    for (const auto& [sequence, extent] : sample.extents) expected += extent.end <= size ? 1 : 0;
    REQUIRE(found.records.size() == expected);
    if (error == ReadError::kNone) REQUIRE((found.damaged > 0) == (size < sample.bytes.size()));
  }
}

TEST_CASE("with both copies of the head damaged, records are found if one key is whole") {
  Sample sample(5);
  for (const std::size_t copy : {0U, 2048U}) {
    std::string bytes = sample.bytes;
    bytes[100] = static_cast<char>(bytes[100] ^ 1);
    bytes[2148] = static_cast<char>(bytes[2148] ^ 1);
    bytes[copy + 24] = static_cast<char>(bytes[copy + 24] ^ 1);  // this one's key too
    Contents found;
    REQUIRE(parse(bytes, &found) == ReadError::kDamagedHead);
    REQUIRE(difference(sample.whole, found, 0).empty());
    REQUIRE(found.producer.pid == 0);
  }
}

TEST_CASE("what is no journal gives a damaged head and no records") {
  Contents found;
  REQUIRE(parse("", &found) == ReadError::kDamagedHead);
  REQUIRE(parse("KLEPTOJ1", &found) == ReadError::kDamagedHead);
  REQUIRE(parse(std::string(kSmall, '\0'), &found) == ReadError::kDamagedHead);
  REQUIRE(parse(std::string(kSmall, 'L'), &found) == ReadError::kDamagedHead);
  REQUIRE(found.records.empty());
  REQUIRE(found.damaged == 0);
}

TEST_CASE("a journal of a newer version is left alone") {
  Sample sample(6);
  sample.bytes[8] = 2;
  sample.bytes[2048 + 8] = 2;
  Contents found;
  REQUIRE(parse(sample.bytes, &found) == ReadError::kNewer);
  REQUIRE(found.records.empty());
}

TEST_CASE("a file made to cost time costs a bounded multiple of its size") {
  Sample sample(7);
  std::string bytes(32U << 20U, '\0');
  bytes.replace(0, kHeadBytes, sample.bytes, 0, kHeadBytes);
  std::size_t marks = 0;
  for (std::size_t at = kHeadBytes; at < bytes.size(); at += kUnitBytes, ++marks) {
    bytes.replace(at, 4, "LIVE");
    put(bytes.data() + at + 4, static_cast<std::uint32_t>(bytes.size() - at - kRecordHeadBytes));
    bytes[at + 8] = 1;
  }
  Contents found;
  REQUIRE(parse(bytes, &found) == ReadError::kNone);  // without the bound: 8 TB to check
  REQUIRE(found.records.empty());
  REQUIRE(found.damaged == marks);
}

TEST_CASE("random damage never lets a wrong record through") {
  const Sample sample(8);
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    std::mt19937_64 random(seed);
    std::string bytes = sample.bytes;
    for (std::size_t i = 0; i < 1 + seed % 200; ++i) bytes[random() % bytes.size()] = static_cast<char>(random());
    if (seed % 3 == 0) bytes.resize(random() % bytes.size());
    Contents found;
    parse(bytes, &found);
    INFO("seed " << seed);
    for (const Record& record : found.records) {
      const auto& all = sample.whole.records;
      REQUIRE(std::any_of(all.begin(), all.end(), [&](const Record& r) { return same(r, record); }));
    }
  }
}

}  // namespace
}  // namespace kleptometrics::journal::test
