// A copy of a store that is in use.
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "tests/aggregator/store/fixture.h"

namespace kleptometrics::aggregator {
namespace {

using fakes::finished;
using fakes::kStart;
using fakes::seconds;
using fakes::started;

void fill(Shop& shop, std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i) {
    const Run run = started("job" + std::to_string(i % 3), i, kStart + seconds(i));
    shop.commit(i % 5 == 0 ? run : finished(run, seconds(1 + i)));
  }
}

TEST_CASE("a copy holds what was committed, settled or not, and is a store of its own") {
  const std::size_t settle_runs = GENERATE(std::size_t{7}, std::size_t{1000});
  Shop shop({"sqlite", true, settle_runs});
  fill(shop, 40);
  const std::string copy = shop.path() + ".copy";
  REQUIRE(backup_store("sqlite:" + shop.path(), copy) == absl::OkStatus());
  const std::vector<Run> before = shop.list();
  fill(shop, 60);  // the store goes on
  auto store = must(open_store("sqlite:" + copy));
  REQUIRE(must(store->runs({}, std::nullopt, 1000)).runs == before);
  REQUIRE(must(store->verify(10)).empty());
  REQUIRE(must(store->commit({started("new", 1000)}, 0)) == std::vector<Applied>{Applied::kAccepted});
  REQUIRE_FALSE(shop.run(fakes::id_of(1000)));
}

TEST_CASE("a copy is for its owner alone, and overwrites nothing") {
  Shop shop({"sqlite", true});
  fill(shop, 3);
  const std::string copy = shop.path() + ".copy";
  REQUIRE(backup_store("sqlite:" + shop.path(), copy) == absl::OkStatus());
  struct stat found {};
  REQUIRE(::stat(copy.c_str(), &found) == 0);
  REQUIRE((found.st_mode & 0777) == 0600);
  REQUIRE(absl::IsAlreadyExists(backup_store("sqlite:" + shop.path(), copy)));
  REQUIRE_FALSE(std::filesystem::exists(copy + ".new"));
}

TEST_CASE("what cannot be copied is an error that says why") {
  Shop shop({"sqlite", true});
  const std::string copy = shop.path() + ".copy";
  REQUIRE(absl::IsInvalidArgument(backup_store("memory:", copy)));
  REQUIRE(absl::IsNotFound(backup_store("sqlite:" + shop.path() + ".none", copy)));
  REQUIRE(absl::IsInvalidArgument(backup_store("sqlite:" + shop.path(), shop.path() + ".none/copy")));
  std::ofstream(shop.path() + ".text") << "no database, but long enough to be looked at as if it were one";
  REQUIRE(absl::IsFailedPrecondition(backup_store("sqlite:" + shop.path() + ".text", copy)));
  REQUIRE_FALSE(std::filesystem::exists(copy));
}

}  // namespace
}  // namespace kleptometrics::aggregator
