// What inotify is made to say of a directory.
#include "aggregator/watch/spool_events.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace kleptometrics::aggregator {
namespace {

using Event = SpoolEvents::Event;

std::vector<std::string> said(SpoolEvents& events) {
  std::vector<Event> taken;
  REQUIRE(events.take(taken));
  std::vector<std::string> out;
  for (const Event& event : taken) {
    constexpr const char* kNames[] = {"came", "let go", "went", "directory"};
    out.push_back(std::string(kNames[static_cast<int>(event.kind)]) + " " + event.name);
  }
  return out;
}

TEST_CASE("files that come by rename, are let go of and go, and directories, are told in order") {
  const tests::TempDir dir;
  SpoolEvents events;
  REQUIRE(events.watch(dir.path()));
  REQUIRE(events.watch(dir.path()));  // again
  {
    std::ofstream file(dir / "a-new");
    std::filesystem::rename(dir / "a-new", dir / "a");
    file << "x";
  }
  std::ifstream(dir / "a").get();  // who only reads lets go of nothing
  std::filesystem::create_directory(dir / "1000");
  std::filesystem::remove(dir / "a");
  CHECK(said(events) == std::vector<std::string>{"went a-new", "came a", "let go a", "directory 1000", "went a"});
  CHECK(said(events).empty());
}

TEST_CASE("what is no directory, or a way to one, is not watched") {
  const tests::TempDir dir;
  std::ofstream(dir / "file") << "x";
  std::filesystem::create_directory(dir / "real");
  std::filesystem::create_symlink(dir / "real", dir / "link");
  SpoolEvents events;
  CHECK_FALSE(events.watch(dir / "missing"));
  CHECK_FALSE(events.watch(dir / "file"));
  CHECK_FALSE(events.watch(dir / "link"));
}

TEST_CASE("a directory that goes, or is named anew, asks for a look at everything") {
  const tests::TempDir dir;
  const bool renamed = GENERATE(true, false);
  std::filesystem::create_directory(dir / "spool");
  SpoolEvents events;
  REQUIRE(events.watch(dir / "spool"));
  if (renamed) std::filesystem::rename(dir / "spool", dir / "other");
  if (!renamed) std::filesystem::remove(dir / "spool");
  std::vector<Event> taken;
  CHECK_FALSE(events.take(taken));
}

}  // namespace
}  // namespace kleptometrics::aggregator
