#include "tests/aggregator/store/fixture.h"

namespace kleptometrics::aggregator {
namespace {

std::string refusal(const std::string& url) {
  const absl::Status status = open_store(url).status();
  CAPTURE(url, status);
  REQUIRE(absl::IsInvalidArgument(status));
  return std::string(status.message());
}

TEST_CASE("a URL of an unknown scheme is refused with the known ones") {
  for (const std::string& url : {std::string(), std::string("memory"), std::string("sqlite"), std::string("mysql:x"),
                                 std::string("SQLITE:x"), std::string(" memory:"), std::string("/runs.db")}) {
    const std::string said = refusal(url);
    REQUIRE(said.find("`sqlite:PATH`") != std::string::npos);
    REQUIRE(said.find("`memory:`") != std::string::npos);
  }
}

TEST_CASE("nothing may follow memory, and something must follow sqlite") {
  REQUIRE(refusal("memory:x").find("`x`") != std::string::npos);
  REQUIRE(refusal("sqlite:").find("empty") != std::string::npos);
  REQUIRE(refusal(std::string("sqlite:a\0b", 10)).find("NUL") != std::string::npos);
}

TEST_CASE("a missing folder is named") {
  const tests::TempDir folder;
  const std::string missing = folder / "missing";
  REQUIRE(refusal("sqlite:" + missing + "/runs.db").find("folder " + missing) != std::string::npos);
}

TEST_CASE("a relative path is one from the working directory, whatever SQLite would make of it") {
  const tests::TempDir folder;
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  for (const std::string& name : {std::string("runs.db"), std::string(":memory:"), std::string("file:x?mode=memory")}) {
    CAPTURE(name);
    const auto store = open_store("sqlite:" + name);
    CHECK(store.ok());
    CHECK(std::filesystem::exists(folder / name));
  }
  std::filesystem::current_path(before);
}

}  // namespace
}  // namespace kleptometrics::aggregator
