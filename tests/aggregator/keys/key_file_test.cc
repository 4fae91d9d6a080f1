#include "aggregator/keys/key_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace kleptometrics::aggregator::keys {
namespace {

struct Folder {
  tests::TempDir dir;
  std::string path = dir / "keys";

  std::string content() const {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }
  void write(const std::string& text) const { std::ofstream(path) << text; }
};

std::string bearer(const NewKey& made) { return "Bearer " + made.key; }

bool speaks_of(const absl::Status& status, const std::string& what) {
  return std::string(status.message()).find(what) != std::string::npos;
}

TEST_CASE("a key that was made opens what it was made for, and its file holds its hash alone") {
  const Folder folder;
  const auto made = add_key(folder.path, "ci", Scope::kWrite);
  REQUIRE(made.ok());
  const auto ring = read_key_file(folder.path);
  REQUIRE(ring.ok());
  CHECK(ring->judge(bearer(*made), Scope::kWrite) == Verdict::kGranted);
  CHECK(ring->judge(bearer(*made), Scope::kAdmin) == Verdict::kForbidden);
  CHECK(folder.content() == made->line + "\n");
  CHECK(folder.content().find(made->key.substr(7)) == std::string::npos);
  struct stat info {};
  REQUIRE(::stat(folder.path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777U) == 0600U);
}

TEST_CASE("keys are added to what is there, also behind a line that was not ended") {
  const Folder folder;
  REQUIRE(add_key(folder.path, "one", Scope::kRead).ok());
  folder.write("# mine\n" + folder.content().substr(0, folder.content().size() - 1));
  REQUIRE(add_key(folder.path, "two", Scope::kAdmin).ok());
  const auto ring = read_key_file(folder.path);
  REQUIRE(ring.ok());
  CHECK(ring->keys().size() == 2);
}

TEST_CASE("no key is added by a name that is there, that is none, or to a file that is not in order") {
  const Folder folder;
  REQUIRE(add_key(folder.path, "one", Scope::kRead).ok());
  const std::string before = folder.content();
  CHECK(speaks_of(add_key(folder.path, "one", Scope::kRead).status(), "of this name"));
  CHECK(absl::IsInvalidArgument(add_key(folder.path, "no name", Scope::kRead).status()));
  CHECK(absl::IsInvalidArgument(add_key(folder.path, "", Scope::kRead).status()));
  CHECK(folder.content() == before);
  folder.write("nonsense\n");
  CHECK(speaks_of(add_key(folder.path, "two", Scope::kRead).status(), folder.path + ":1: "));
  CHECK(folder.content() == "nonsense\n");
}

TEST_CASE("without a file the line is only told") {
  const auto made = add_key("", "one", Scope::kRead);
  REQUIRE(made.ok());
  CHECK(KeyRing::parse(made->line, "line")->judge(bearer(*made), Scope::kRead) == Verdict::kGranted);
}

TEST_CASE("a file to which others may write is refused, as is what is none") {
  const Folder folder;
  REQUIRE(add_key(folder.path, "one", Scope::kRead).ok());
  for (const mode_t mode : {0620U, 0602U, 0666U}) {
    REQUIRE(::chmod(folder.path.c_str(), mode) == 0);
    CHECK(absl::IsPermissionDenied(read_key_file(folder.path).status()));
    CHECK(absl::IsPermissionDenied(add_key(folder.path, "two", Scope::kRead).status()));
  }
  REQUIRE(::chmod(folder.path.c_str(), 0644) == 0);
  CHECK(read_key_file(folder.path).ok());
  CHECK(absl::IsNotFound(read_key_file(folder.path + "2").status()));
  CHECK(speaks_of(read_key_file(folder.path + "2").status(), folder.path + "2"));
  CHECK(absl::IsFailedPrecondition(read_key_file(folder.dir / "").status()));
}

TEST_CASE("a file of another user is refused") {
  if (::geteuid() != 0) return;  // who else could give a file away
  const Folder folder;
  REQUIRE(add_key(folder.path, "one", Scope::kRead).ok());
  REQUIRE(::chown(folder.path.c_str(), 12345, 12345) == 0);
  CHECK(absl::IsPermissionDenied(read_key_file(folder.path).status()));
}

TEST_CASE("a larger file than makes sense is refused") {
  const Folder folder;
  folder.write(std::string((1U << 20U) + 1, '#'));
  CHECK(speaks_of(read_key_file(folder.path).status(), "larger than 1 MiB"));
}

TEST_CASE("a file is read again, and where it is broken the old keys stay") {
  const Folder folder;
  const auto first = add_key(folder.path, "one", Scope::kRead);
  const auto file = KeyFile::open(folder.path);
  REQUIRE(file.ok());
  const auto before = (*file)->ring();
  const auto second = add_key(folder.path, "two", Scope::kRead);
  CHECK((*file)->ring()->judge(bearer(*second), Scope::kRead) == Verdict::kUnknown);
  REQUIRE((*file)->reload().ok());
  CHECK((*file)->ring()->judge(bearer(*second), Scope::kRead) == Verdict::kGranted);
  CHECK(before->keys().size() == 1);
  folder.write("broken\n");
  CHECK_FALSE((*file)->reload().ok());
  CHECK((*file)->ring()->judge(bearer(*first), Scope::kRead) == Verdict::kGranted);
  folder.write(second->line + "\n");
  REQUIRE((*file)->reload().ok());
  CHECK((*file)->ring()->judge(bearer(*first), Scope::kRead) == Verdict::kUnknown);
}

TEST_CASE("a secret that others may read, or its group write, is refused") {
  const Folder folder;
  folder.write("secret");
  for (const mode_t mode : {0600U, 0400U, 0640U}) {
    ::chmod(folder.path.c_str(), mode);
    CHECK(check_secret_file(folder.path).ok());
  }
  for (const mode_t mode : {0644U, 0660U, 0604U, 0602U}) {
    ::chmod(folder.path.c_str(), mode);
    CHECK(absl::IsPermissionDenied(check_secret_file(folder.path)));
  }
  CHECK(absl::IsNotFound(check_secret_file(folder.path + "2")));
}

}  // namespace
}  // namespace kleptometrics::aggregator::keys
