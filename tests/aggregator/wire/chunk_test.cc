// Runs by columns: what goes in comes out, and bytes that are damaged are an error.
#include "aggregator/wire/chunk.h"

#include <algorithm>
#include <limits>
#include <random>

#include "aggregator/wire/job_spec.h"
#include "kleptometrics/v1/chunk.pb.h"
#include "lib/journal/crc32c.h"
#include "tests/aggregator/wire/golden.h"
#include "tests/aggregator/wire/sample_chunks.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::wire {
namespace {

using fakes::finished;
using fakes::full_run;
using fakes::id_of;
using fakes::kStart;
using fakes::seconds;
using fakes::started;
using fakes::version_7;

std::string encoded(const std::vector<Run>& runs, const std::vector<Uuid>& gone = {}) {
  std::vector<Chunked> chunked;
  for (const Run& run : runs) chunked.push_back({&run, static_cast<std::uint32_t>(chunked.size()), false, 0});
  return encode_chunk(chunked, gone);
}

ChunkReader opened(std::string_view bytes) {
  auto reader = ChunkReader::open(bytes);
  if (!reader.ok()) FAIL(reader.status());
  return *std::move(reader);
}

void require_round_trip(const std::vector<Run>& runs) {
  const ChunkReader reader = opened(encoded(runs));
  REQUIRE(reader.size() == runs.size());
  for (std::size_t at = 0; at < runs.size(); ++at) {
    const auto run = reader.run(at);
    REQUIRE(run.ok());
    REQUIRE(*run == runs[at]);
    REQUIRE(reader.id(at) == runs[at].id);
    REQUIRE(reader.job(at) == runs[at].job);
    REQUIRE(reader.state(at) == runs[at].state);
    REQUIRE(reader.started_at(at) == runs[at].started_at);
  }
}

std::vector<Run> plain(std::uint32_t count) { return fakes::plain_runs_of_two_jobs(count); }

void require_sample(std::string_view bytes, const fakes::SampleChunk& sample) {
  const ChunkReader reader = opened(bytes);
  const std::vector<Chunked> expected = sample.chunked();
  REQUIRE(reader.size() == expected.size());
  REQUIRE(reader.gone() == sample.gone);
  for (std::size_t at = 0; at < expected.size(); ++at) {
    const auto run = reader.run(at);
    REQUIRE(run.ok());
    REQUIRE(*run == *expected[at].run);
    REQUIRE(reader.slot(at) == expected[at].slot);
    REQUIRE(reader.in_hours(at) == expected[at].in_hours);
    REQUIRE(reader.committed_at(at) == expected[at].committed_at);
  }
}

TEST_CASE("chunks are written as they were when their files were made, and read back from them") {
  for (const fakes::SampleChunk& sample : fakes::sample_chunks()) {
    INFO(sample.name);
    const std::string bytes = encode_chunk(sample.chunked(), sample.gone);
    CHECK(hex_of(bytes) == golden(sample.name));
    require_sample(bytes, sample);
  }
}

TEST_CASE("chunks of format 0 are read") {
  for (const fakes::SampleChunk& sample : fakes::sample_chunks()) {
    INFO(sample.name);
    require_sample(bytes_of_hex(golden(sample.name + "_format_0")), sample);
  }
}

TEST_CASE("a build that knows format 0 alone sees a chunk without strings, and so that it cannot read it") {
  v1::Chunk message;
  REQUIRE(message.ParseFromString(encoded(plain(3)).substr(4)));
  REQUIRE(message.strings_size() == 0);
  REQUIRE(message.format() == 1);
}

// Sealed as if they were those of a chunk.
std::string with_checksum(const std::string& bytes) {
  const std::uint32_t sum = journal::crc32c(0, bytes.data(), bytes.size());
  return std::string(reinterpret_cast<const char*>(&sum), sizeof sum) + bytes;
}
std::string sealed(const v1::Chunk& message) { return with_checksum(message.SerializeAsString()); }

TEST_CASE("what does not fit together is an error, even with the checksum right") {
  v1::Chunk whole;
  REQUIRE(whole.ParseFromString(encoded(fakes::measured_runs(40)).substr(4)));
  REQUIRE(ChunkReader::open(sealed(whole)).ok());
  const auto lost = [&](auto damage) {
    v1::Chunk message = whole;
    damage(message);
    return absl::IsDataLoss(ChunkReader::open(sealed(message)).status());
  };
  CHECK(lost([](v1::Chunk& chunk) { chunk.set_format(2); }));
  CHECK(lost([](v1::Chunk& chunk) { chunk.set_format(0); }));
  CHECK(lost([](v1::Chunk& chunk) { chunk.set_count(39); }));
  CHECK(lost([](v1::Chunk& chunk) { chunk.set_count(~0U); }));
  CHECK(lost([](v1::Chunk& chunk) { chunk.set_texts_count(chunk.texts_count() + 1); }));
  CHECK(lost([](v1::Chunk& chunk) { chunk.set_texts_count(~0U); }));
  CHECK(lost([](v1::Chunk& chunk) { chunk.mutable_texts()->pop_back(); }));
  CHECK(lost([](v1::Chunk& chunk) { chunk.mutable_texts()->push_back('a'); }));
  CHECK(lost([](v1::Chunk& chunk) { chunk.mutable_texts()->back() = '\xff'; }));
  CHECK(lost([](v1::Chunk& chunk) { chunk.mutable_texts_begin()->set_base(1); }));  // the first string is empty
  CHECK(lost([](v1::Chunk& chunk) { chunk.mutable_texts_end()->set_base(-1); }));
  CHECK(lost([](v1::Chunk& chunk) { chunk.add_strings("a"); }));
  CHECK(lost([](v1::Chunk& chunk) { chunk.mutable_job()->set_base(100); }));
  CHECK(lost([](v1::Chunk& chunk) { chunk.mutable_id_a()->set_base(1 << 12); }));
  CHECK(lost([](v1::Chunk& chunk) { chunk.mutable_id_b()->set_base(std::int64_t{1} << 62); }));
  CHECK(lost([](v1::Chunk& chunk) { chunk.mutable_duration()->mutable_packed()->pop_back(); }));
}

TEST_CASE("bits that are flipped under a checksum that is right are an error or runs") {
  for (const fakes::SampleChunk& sample : fakes::sample_chunks()) {
    const std::string bytes = encode_chunk(sample.chunked(), sample.gone);
    for (std::size_t bit = 32; bit < 8 * bytes.size(); ++bit) {
      INFO(sample.name << " " << bit);
      std::string flipped = bytes;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ static_cast<char>(1U << (bit % 8)));
      const auto reader = ChunkReader::open(with_checksum(flipped.substr(4)));
      if (!reader.ok()) continue;
      for (std::size_t at = 0; at < reader->size(); ++at) (void)reader->run(at);
    }
  }
}

TEST_CASE("a chunk keeps strings that begin and end alike, and long ones") {
  std::vector<Run> runs = plain(9);
  const std::string a(300, 'a');
  const char* hosts[] = {"aa", "a", "aaa", "", "abcabc", "abc", "bca"};
  for (std::size_t i = 0; i < 7; ++i) runs[i].host = hosts[i];
  runs[7].host = a;
  runs[8].host = a + "b" + a;
  runs[8].program = a + "c" + a;
  require_round_trip(runs);
}

TEST_CASE("a chunk gives back the runs that went in: none, one, many") {
  require_round_trip({});
  require_round_trip(plain(1));
  require_round_trip(plain(256));
  require_round_trip({full_run()});
}

TEST_CASE("a chunk keeps runs that differ in everything") {
  std::vector<Run> runs = plain(6);
  runs.push_back(full_run());
  runs[0].duration.reset();
  runs[1].finished_at.reset();
  runs[2].scheduled_at = runs[2].started_at + seconds(5);  // early
  runs[3].finished_at = runs[3].started_at - 1;            // by a clock that was set back
  runs[4].counters = {{"half", 0.5}, {"minus", -3}, {"rows", 1e18}};
  runs[5].counters = {{"rows", 7}};
  runs[5].revision = std::numeric_limits<std::uint64_t>::max();
  runs[5].resources.max_rss_bytes = 0;
  require_round_trip(runs);
}

TEST_CASE("a chunk keeps instants at the ends of what is valid") {
  std::vector<Run> runs = {started("a", 1, -kNanosEnd + 1), started("a", 2, 0), started("a", 3, kNanosEnd - 1),
                           started("b", 4, -1)};
  runs[2].scheduled_at = -kNanosEnd + 1;
  require_round_trip(runs);
}

TEST_CASE("a chunk keeps ids of every version") {
  std::vector<Run> runs = plain(4);
  require_round_trip(runs);
  runs[1].id = version_7(9, runs[1].started_at + seconds(3));  // made later than its run started
  require_round_trip(runs);
  runs[2].id = id_of(77);
  require_round_trip(runs);
}

TEST_CASE("slots, hours and the time of the commit are kept, and ids of runs that are gone") {
  const std::vector<Run> runs = plain(3);
  const std::vector<Chunked> chunked = {
      {&runs[0], 2, true, 1'500'000'000}, {&runs[1], 7, false, 60 * kNanosPerSecond}, {&runs[2], 255, true, 0}};
  const ChunkReader reader = opened(encode_chunk(chunked, {id_of(1), id_of(2)}));
  REQUIRE(reader.slot(0) == 2);
  REQUIRE(reader.slot(2) == 255);
  REQUIRE(reader.at_slot(7) == 1U);
  REQUIRE_FALSE(reader.at_slot(8));
  REQUIRE(reader.in_hours(0));
  REQUIRE_FALSE(reader.in_hours(1));
  REQUIRE(reader.committed_at(0) == 2 * kNanosPerSecond);  // to the second, rounded up
  REQUIRE(reader.committed_at(1) == 60 * kNanosPerSecond);
  REQUIRE(reader.gone() == std::vector<Uuid>{id_of(1), id_of(2)});
}

TEST_CASE("equal columns take no room") {
  const std::size_t one = encoded(plain(64)).size();
  const std::size_t four = encoded(plain(256)).size();
  REQUIRE(four - one < 192 * 9);  // what differs between their ids, and little else
}

TEST_CASE("a chunk that is cut or of which a bit is flipped is an error") {
  const std::string bytes = encoded({full_run(), plain(1).front()});
  for (std::size_t size = 0; size < bytes.size(); ++size)
    REQUIRE(absl::IsDataLoss(ChunkReader::open(std::string_view(bytes).substr(0, size)).status()));
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << at % 8));
    REQUIRE(absl::IsDataLoss(ChunkReader::open(damaged).status()));
  }
}

TEST_CASE("what a job is meant to be is kept") {
  JobSpec spec;
  spec.description = "nightly";
  spec.tags = {"billing", "eu"};
  spec.retention_days = 90;
  REQUIRE(*decode_job_spec(encode_job_spec(spec)) == spec);
  spec.cron = "0 6 * * mon-fri";
  spec.timezone = "Europe/Berlin";
  spec.grace = 0;
  spec.max_duration = 5;
  spec.min_duration = 3;
  spec.failures_before_alert = 2;
  spec.successes_before_recovery = 4;
  spec.maintenance = {{7, 9, "", 0}, {0, 0, "@weekly", 60}};
  spec.paused_until = 0;
  REQUIRE(*decode_job_spec(encode_job_spec(spec)) == spec);
  spec.cron.clear();
  spec.interval = 11;
  spec.paused_until = kNanosEnd;
  REQUIRE(*decode_job_spec(encode_job_spec(spec)) == spec);
  REQUIRE(*decode_job_spec("") == JobSpec());
  REQUIRE(absl::IsDataLoss(decode_job_spec("\xff").status()));
}

}  // namespace
}  // namespace kleptometrics::aggregator::wire
