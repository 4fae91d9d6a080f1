// A journal that was cut, flipped, or made up: the record or area that was hit is lost and counted, and no other.
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

// A small journal that was used for a while, and where its live records and its areas lie.
struct Sample {
  explicit Sample(std::uint64_t seed) {
    const Spool spool;
    const auto writer = spool.open();
    std::mt19937_64 random(seed);
    Sequence last = 0;
    for (int i = 0; i < 400; ++i) {
      if (i % 20 == 0) fill_area(*writer, random);
      std::string payload(random() % 300U, '\0');
      for (char& byte : payload) byte = static_cast<char>(random());
      const bool replaces = random() % 6U != 0;
      last = writer->append(payload, random() % 2U == 0, replaces ? last : 0);
    }
    bytes = bytes_of(writer->path());
    whole = parsed(bytes);
    for (const Record& record : whole.records) extents[record.sequence] = find(record);
    find_areas();
  }

  static void fill_area(Writer& writer, std::mt19937_64& random) {
    const std::string fixed(1 + random() % 60U, static_cast<char>(random()));
    const std::size_t open_bytes = 8 * (1 + random() % 60U);
    char* const open = writer.reserve(fixed, open_bytes);
    for (std::size_t i = 0; open != nullptr && i < open_bytes; ++i) open[i] = static_cast<char>(random());
  }

  Extent find(const Record& record) const {
    for (std::size_t at = kHeadBytes; at < bytes.size(); at += kUnitBytes) {
      const RecordHead head = read_record_head(bytes.data() + at);
      if (head.mark != kLive || head.sequence != record.sequence) continue;
      return {at, at + kRecordHeadBytes + head.length};
    }
    return {};
  }

  // In the order of the file, in which they are read.
  void find_areas() {
    for (std::size_t at = kHeadBytes; at < bytes.size(); at += kUnitBytes) {
      const RecordHead head = read_record_head(bytes.data() + at);
      if (head.mark == kOpen) areas.push_back({at, at + kRecordHeadBytes + head.length});
    }
  }
  // Where that which proves an area ends, and that which may change begins.
  std::size_t fixed_end(std::size_t area) const {
    return areas[area].begin + kRecordHeadBytes + whole.areas[area].fixed.size();
  }
  std::size_t open_begin(std::size_t area) const { return areas[area].end - whole.areas[area].open.size(); }

  std::string bytes;
  Contents whole;
  std::map<Sequence, Extent> extents;
  std::vector<Extent> areas;
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

constexpr std::size_t kNone = ~std::size_t{0};

std::size_t area_proven_at(const Sample& sample, std::size_t offset) {
  for (std::size_t i = 0; i < sample.areas.size(); ++i)
    if (offset >= sample.areas[i].begin && offset < sample.fixed_end(i)) return i;
  return kNone;
}

// Empty if the areas are those of the sample but for `lost`, each with what stands in `bytes` now.
std::string difference_of_areas(const Sample& sample, std::string_view bytes, const Contents& found, std::size_t lost) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < sample.areas.size(); ++i) {
    if (i == lost) continue;
    if (at == found.areas.size()) return "area " + std::to_string(i) + " is missing";
    const AreaBytes& area = found.areas[at++];
    if (area.fixed != sample.whole.areas[i].fixed) return "area " + std::to_string(i) + " is another";
    if (area.open != bytes.substr(sample.open_begin(i), area.open.size())) return "an area says what it does not";
  }
  return at == found.areas.size() ? "" : "more areas than there were";
}

// What is wrong with the outcome of one flipped bit.
std::string judge_flip(const Sample& sample, std::string_view bytes, std::size_t offset) {
  Contents found;
  if (parse(bytes, &found) != ReadError::kNone) return "refused";
  if (found.producer.pid != sample.whole.producer.pid) return "another producer";
  const Sequence hit = record_at(sample, offset);
  const bool lost = found.records.size() < sample.whole.records.size();
  if (lost != (hit != 0 && offset >= sample.extents.at(hit).begin + 4))  // one bit does not hide a mark
    return lost ? "lost a record" : "the flip went unnoticed";
  const std::size_t hit_area = area_proven_at(sample, offset);
  const bool lost_area = hit_area != kNone && offset >= sample.areas[hit_area].begin + 4;
  if (found.damaged != (lost || lost_area ? 1U : 0U)) return "counted " + std::to_string(found.damaged);
  const std::string wrong = difference_of_areas(sample, bytes, found, lost_area ? hit_area : kNone);
  return wrong.empty() ? difference(sample.whole, found, lost ? hit : 0) : wrong;
}

TEST_CASE("a bit flipped at any byte costs at most the record or area it hits, and that is counted") {
  const std::uint64_t seed = 3;
  INFO("seed " << seed);
  const Sample sample(seed);
  REQUIRE(sample.whole.records.size() > 40);
  REQUIRE(sample.whole.areas.size() > 10);
  REQUIRE(sample.areas.size() == sample.whole.areas.size());
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

// What is wrong with what is found of a sample of which `size` bytes are left.
std::string judge_cut(const Sample& sample, std::size_t size) {
  Contents found;
  const ReadError error = parse(std::string_view(sample.bytes).substr(0, size), &found);
  if (error != (size < kHeadBytes / 2 ? ReadError::kDamagedHead : ReadError::kNone)) return "read otherwise";
  std::size_t records = 0;
  std::size_t areas = 0;
  for (const auto& [sequence, extent] : sample.extents) records += extent.end <= size ? 1 : 0;
  for (const Extent& extent : sample.areas) areas += extent.end <= size ? 1 : 0;
  if (found.records.size() != records) return std::to_string(found.records.size()) + " records";
  if (found.areas.size() != areas) return std::to_string(found.areas.size()) + " areas";
  const bool counted = error != ReadError::kNone || (found.damaged > 0) == (size < sample.bytes.size());
  return counted ? "" : "the cut was not counted";
}

TEST_CASE("a journal cut at any byte still gives every record and area before the cut") {
  const Sample sample(4);
  for (std::size_t size = 0; size <= sample.bytes.size(); ++size) {
    const std::string wrong = judge_cut(sample, size);
    if (wrong.empty()) continue;
    INFO("cut to " << size);
    REQUIRE(wrong == "");
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
