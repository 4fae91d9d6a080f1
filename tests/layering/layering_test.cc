// Holds the sources to the table of rooms, and the reader of that table to its word.
#include "tests/layering/layering.h"

#include <fstream>
#include <iterator>

#include "tests/support/catch.h"

namespace kleptometrics::layering {
namespace {

namespace fs = std::filesystem;
const fs::path kRoot = KLEPTO_SOURCE_DIR;

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  INFO(path);
  REQUIRE(file.good());
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Rooms house() { return Rooms::parse(read(kRoot / "tests/layering/rooms.txt")); }

// Path relative to the root to text, of every C++ source outside tests/.
std::map<std::string, std::string> sources() {
  std::map<std::string, std::string> files;
  for (const char* top : {"lib", "aggregator", "examples", "proto"}) {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(kRoot / top)) {
      const std::string extension = entry.path().extension().string();
      if (entry.is_regular_file() && (extension == ".h" || extension == ".cc"))
        files[entry.path().lexically_relative(kRoot).generic_string()] = read(entry.path());
    }
  }
  return files;
}

std::string report(const std::vector<Violation>& violations) {
  std::string text;
  for (const Violation& violation : violations) text += to_string(violation) + "\n";
  return text;
}

TEST_CASE("every include follows an arrow of rooms.txt") {
  const Rooms rooms = house();
  const std::map<std::string, std::string> files = sources();
  REQUIRE(files.size() > 20);
  std::vector<Violation> violations = rooms.check_once(files);
  for (const auto& [path, text] : files) {
    const std::vector<Violation> found = rooms.check(path, text);
    violations.insert(violations.end(), found.begin(), found.end());
  }
  for (const Violation& violation : violations) FAIL_CHECK(to_string(violation));
}

TEST_CASE("no arrow of rooms.txt leads back to where it came from") {
  CHECK(house().circle() == std::vector<std::string>{});
}

// The self-test: a table of four rooms and lines that it must refuse.
constexpr const char* kSmallTable =
    "# two layers and a leaf\n"
    "lib/base ->\n"
    "lib/include ->\n"
    "app -> lib/base app/leaf lib/include proto\n"
    "app/leaf -> app/open.h\n"
    "app/main.cc -> *\n"
    "header heavy.h only app/leaf\n"
    "header big/ only app\n"
    "header .pb.h only app\n"
    "source_once heavy.h app/leaf\n"
    "std_only lib/include\n";

std::string verdict(const std::string& path, std::string_view text) {
  return report(Rooms::parse(kSmallTable).check(path, text));
}

TEST_CASE("a forbidden include is refused with its file, line and arrow") {
  CHECK(verdict("lib/base/a.h", "#pragma once\n#include <vector>\n#include \"app/b.h\"\n") ==
        "lib/base/a.h:3: includes app/b.h, but there is no arrow lib/base -> app; open from there: nothing\n");
  CHECK(verdict("app/leaf/a.cc", "#include \"lib/base/b.h\"") ==
        "app/leaf/a.cc:1: includes lib/base/b.h, but there is no arrow app/leaf -> lib/base; open from there: "
        "app/open.h\n");
}

TEST_CASE("an include along an arrow, of the own room or of the system is allowed") {
  CHECK(verdict("app/a.cc",
                "#include \"app/a.h\"\n#include <unistd.h>\n#include \"app/leaf/l.h\"\n"
                "  #  include \"lib/base/b.h\"\n#include <kleptometrics/kleptometrics.h>\n"
                "#include \"kleptometrics/v1/run.pb.h\"\n#include \"big/thing.h\"\n") == "");
  CHECK(verdict("app/leaf/a.cc", "#include \"app/open.h\"") == "");
  CHECK(verdict("app/main.cc", "#include \"app/leaf/l.h\"\n#include \"lib/base/b.h\"") == "");
}

TEST_CASE("an arrow to a room opens neither the room around it nor the rooms inside") {
  CHECK(verdict("app/leaf/a.cc", "#include \"app/closed.h\"") != "");
  CHECK(report(Rooms::parse("a ->\na/in ->\nb -> a").check("b/x.cc", "#include \"a/in/y.h\"")) ==
        "b/x.cc:1: includes a/in/y.h, but there is no arrow b -> a/in; open from there: a\n");
}

TEST_CASE("generated and installed headers are rooms too") {
  CHECK(verdict("lib/base/a.cc", "#include <kleptometrics/kleptometrics.h>") != "");
  CHECK(verdict("lib/base/a.cc", "#include \"kleptometrics/v1/run.pb.h\"") ==
        "lib/base/a.cc:1: includes kleptometrics/v1/run.pb.h, which is kept to app\n");
}

TEST_CASE("a header from outside stays where it is kept") {
  CHECK(verdict("app/a.cc", "#include <heavy.h>") == "app/a.cc:1: includes heavy.h, which is kept to app/leaf\n");
  CHECK(verdict("app/leaf/a.cc", "#include <heavy.h>") == "");
  CHECK(verdict("lib/base/a.cc", "#include \"big/x.h\"") != "");
}

TEST_CASE("a heavy header is taken into one source and no header") {
  const Rooms rooms = Rooms::parse(kSmallTable);
  CHECK(rooms.check_once({{"app/leaf/a.cc", "#include <heavy.h>"}, {"app/leaf/b.cc", ""}}).empty());
  CHECK(report(rooms.check_once({{"app/leaf/a.cc", "#include <heavy.h>"}, {"app/leaf/b.cc", "#include <heavy.h>"}})) ==
        "app/leaf/b.cc:1: heavy.h is already in app/leaf/a.cc\n");
  CHECK(report(rooms.check_once({{"app/leaf/a.h", "#include <heavy.h>"}})) ==
        "app/leaf/a.h:1: heavy.h belongs into a .cc file\n");
}

TEST_CASE("installed headers take nothing but the standard library from outside") {
  CHECK(verdict("lib/include/x.h", "#include <string>\n#include <kleptometrics/y.h>") == "");
  CHECK(verdict("lib/include/x.h", "#include <unistd.h>") ==
        "lib/include/x.h:1: includes unistd.h, but here only the standard library may come from outside\n");
}

TEST_CASE("a file without a room, a relative path and a bare name are refused") {
  CHECK(verdict("elsewhere/a.cc", "") == "elsewhere/a.cc:1: lies in no room of tests/layering/rooms.txt\n");
  CHECK(verdict("app/a.cc", "#include \"../lib/base/b.h\"") != "");
  CHECK(verdict("app/a.cc", "#include \"a.h\"") != "");
  CHECK(verdict("app/a.cc", "#include \"tests/fakes/clock.h\"") ==
        "app/a.cc:1: includes \"tests/fakes/clock.h\", which lies in no room\n");
}

TEST_CASE("a table that cannot be meant is refused") {
  CHECK_THROWS_AS(Rooms::parse("a -> b"), std::invalid_argument);
  CHECK_THROWS_AS(Rooms::parse("a ->\na ->"), std::invalid_argument);
  CHECK_THROWS_AS(Rooms::parse("header x.h only"), std::invalid_argument);
  CHECK_THROWS_AS(Rooms::parse("walls are white"), std::invalid_argument);
}

TEST_CASE("a circle of arrows is found") {
  CHECK(Rooms::parse("a -> b\nb -> c\nc -> a\nd -> a").circle() == std::vector<std::string>{"a", "b", "c"});
  CHECK(Rooms::parse("a -> a/in\na/in -> a").circle().empty());
}

}  // namespace
}  // namespace kleptometrics::layering
