#include "lib/base/uuid.h"

#include <sys/wait.h>
#include <unistd.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/catch.h"

namespace kleptometrics {
namespace {

constexpr Nanos kWall = 1'700'000'000'123 * 1'000'000 + 456'789;  // 0x018bcfe5687b milliseconds

TEST_CASE("a version 7 id has its version, its variant and the milliseconds of its time") {
  const Uuid id = Uuid::make_v7(kWall);
  const std::string text = id.text();
  REQUIRE(text.size() == 36);
  REQUIRE(text.substr(0, 15) == "018bcfe5-687b-7");
  REQUIRE(std::string("89ab").find(text[19]) != std::string::npos);
  REQUIRE_FALSE(id.none());
  REQUIRE(id.version_7_millis() == 0x018bcfe5687bU);
  REQUIRE(id.half(0) >> 16U == 0x018bcfe5687bU);
}

TEST_CASE("ids of other versions say nothing of a time, and both halves are read in network order") {
  const Uuid id = *Uuid::parse("00010203-0405-4607-8809-0a0b0c0d0e0f");
  REQUIRE_FALSE(id.version_7_millis());
  REQUIRE(id.half(0) == 0x0001020304054607U);
  REQUIRE(id.half(1) == 0x88090a0b0c0d0e0fU);
}

TEST_CASE("ids of later milliseconds are greater, as bytes and as text") {
  const Uuid earlier = Uuid::make_v7(kWall);
  const Uuid later = Uuid::make_v7(kWall + 1'000'000);
  REQUIRE(earlier < later);
  REQUIRE(earlier.text() < later.text());
}

TEST_CASE("a time before 1970 gives an id of time 0") {
  REQUIRE(Uuid::make_v7(-5).text().substr(0, 15) == "00000000-0000-7");
}

TEST_CASE("text is read back as the same id") {
  const Uuid id = Uuid::make_v7(kWall);
  REQUIRE(Uuid::parse(id.text()) == id);
}

TEST_CASE("capital letters are read too") {
  const auto id = Uuid::parse("018BCFE5-687B-7ABC-8DEF-0123456789AB");
  REQUIRE(id.has_value());
  REQUIRE(id->text() == "018bcfe5-687b-7abc-8def-0123456789ab");
}

TEST_CASE("anything but 36 characters in the right places is no id") {
  const std::string good = "018bcfe5-687b-7abc-8def-0123456789ab";
  REQUIRE(Uuid::parse(good).has_value());
  for (const std::size_t size : {0U, 1U, 8U, 32U, 35U}) REQUIRE_FALSE(Uuid::parse(good.substr(0, size)));
  REQUIRE_FALSE(Uuid::parse(good + "0"));
  REQUIRE_FALSE(Uuid::parse("{018bcfe5-687b-7abc-8def-0123456789}"));
}

TEST_CASE("a wrong character anywhere makes no id") {
  const std::string good = "018bcfe5-687b-7abc-8def-0123456789ab";
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const char wrong : {'g', ' ', '\0', '-', '0', '\xff', '/', ':', '@', '`'}) {
      const bool hyphen = at == 8 || at == 13 || at == 18 || at == 23;
      if (hyphen == (wrong == '-') && (hyphen || wrong == '0')) continue;  // right after all
      std::string bad = good;
      bad[at] = wrong;
      INFO("character " << static_cast<int>(wrong) << " at " << at);
      REQUIRE_FALSE(Uuid::parse(bad));
    }
  }
}

TEST_CASE("exactly 16 bytes make an id") {
  const Uuid id = Uuid::make_v7(kWall);
  REQUIRE(Uuid::from_bytes(id.view()) == id);
  REQUIRE_FALSE(Uuid::from_bytes(id.view().substr(1)));
  REQUIRE_FALSE(Uuid::from_bytes(std::string(id.view()) + "x"));
  REQUIRE_FALSE(Uuid::from_bytes(""));
  REQUIRE(Uuid::from_bytes(std::string(16, '\0'))->none());
}

TEST_CASE("threads never make the same id") {
  std::vector<std::vector<Uuid>> made(4);
  std::vector<std::thread> threads;
  for (auto& mine : made) {
    threads.emplace_back([&mine] {
      for (int i = 0; i < 2000; ++i) mine.push_back(Uuid::make_v7(kWall));
    });
  }
  for (auto& thread : threads) thread.join();
  std::set<Uuid> all;
  for (const auto& mine : made) all.insert(mine.begin(), mine.end());
  REQUIRE(all.size() == 8000);
}

TEST_CASE("a forked child does not repeat its parent's ids") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const Uuid id = Uuid::make_v7(kWall);
    const bool written = ::write(ends[1], id.bytes.data(), id.bytes.size()) == 16;
    ::_exit(written ? 0 : 1);
  }
  const Uuid own = Uuid::make_v7(kWall);
  Uuid other;
  REQUIRE(::read(ends[0], other.bytes.data(), other.bytes.size()) == 16);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  ::close(ends[0]);
  ::close(ends[1]);
  REQUIRE(own != other);
}

}  // namespace
}  // namespace kleptometrics
