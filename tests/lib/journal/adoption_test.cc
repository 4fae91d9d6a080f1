// Who may adopt a journal, and when.
#include <fcntl.h>
#include <sys/stat.h>

#include "tests/lib/journal/spool.h"

namespace kleptometrics::journal::test {
namespace {

// A process with a journal of one record, which lives until it is killed or told to end.
class Program {
 public:
  explicit Program(const Spool& spool, bool closes_descriptors = false)
      : child_([&] { return run(spool, closes_descriptors); }) {
    REQUIRE(ready_.hear() == 'r');
    path_ = std::filesystem::directory_iterator(spool.path())->path();
  }

  const std::string& path() const { return path_; }
  pid_t pid() const { return child_.pid(); }
  void kill() { child_.end(SIGKILL); }
  // Dead, but its parent has not taken note.
  void kill_and_leave() const {
    child_.kill();
    siginfo_t info{};
    REQUIRE(::waitid(P_PID, static_cast<id_t>(child_.pid()), &info, WEXITED | WNOWAIT) == 0);
  }

 private:
  int run(const Spool& spool, bool closes_descriptors) const {
    const auto writer = Writer::open(spool.options(), nullptr);
    if (!writer->durable() || writer->append("snapshot", false, 0) == 0) return 1;
    ready_.say('r');
    for (int fd = 3; closes_descriptors && fd < 256; ++fd) ::close(fd);
    for (;;) ::pause();
  }

  Pipe ready_;
  Child child_;
  std::string path_;
};

std::unique_ptr<Adoption> adopt(const std::string& path, ReadError* error) {
  return Adoption::open(path, ::geteuid(), error);
}

ReadError refusal(const std::string& path, unsigned owner = ::geteuid()) {
  ReadError error = ReadError::kNone;
  REQUIRE(Adoption::open(path, owner, &error) == nullptr);
  return error;
}

TEST_CASE("the journal of a living program is busy, that of a dead one is adopted with its records") {
  const Spool spool;
  Program program(spool);
  REQUIRE(refusal(program.path()) == ReadError::kBusy);
  const auto pid = static_cast<std::uint32_t>(program.pid());
  program.kill();
  ReadError error = ReadError::kNone;
  const auto adoption = adopt(program.path(), &error);
  REQUIRE(error == ReadError::kNone);
  REQUIRE(adoption->contents().records.size() == 1);
  REQUIRE(adoption->contents().records[0].payload == "snapshot");
  REQUIRE(adoption->contents().producer.pid == pid);
  REQUIRE_FALSE(adoption->producer_alive());
}

TEST_CASE("of two processes one adopts a journal, and the next may once it lets go") {
  const Spool spool;
  Program program(spool);
  program.kill();
  const auto tried_by_another = [&] {
    Child other([&] {
      ReadError error = ReadError::kNone;
      adopt(program.path(), &error);
      return static_cast<int>(error);
    });
    return static_cast<ReadError>(other.wait());
  };
  ReadError error = ReadError::kNone;
  auto adoption = adopt(program.path(), &error);
  REQUIRE(adoption != nullptr);
  REQUIRE(tried_by_another() == ReadError::kBusy);
  adoption.reset();
  REQUIRE(tried_by_another() == ReadError::kNone);
}

TEST_CASE("an adopted journal is removed on request") {
  const Spool spool;
  Program program(spool);
  program.kill();
  ReadError error = ReadError::kNone;
  const auto adoption = adopt(program.path(), &error);
  adoption->remove_file();
  adoption->remove_file();
  REQUIRE(spool.file_count() == 0);
  REQUIRE(refusal(program.path()) == ReadError::kUnreadable);
}

TEST_CASE("removing spares another file that has taken the name") {
  const Spool spool;
  Program program(spool);
  program.kill();
  ReadError error = ReadError::kNone;
  const auto adoption = adopt(program.path(), &error);
  std::filesystem::remove(program.path());
  std::ofstream(program.path()) << "another";
  adoption->remove_file();
  REQUIRE(spool.file_count() == 1);
}

TEST_CASE("a program that closed all its descriptors lost its lock but is seen to live") {
  const Spool spool;
  Program program(spool, true);
  std::unique_ptr<Adoption> adoption;
  ReadError error = ReadError::kBusy;
  while (error == ReadError::kBusy) adoption = adopt(program.path(), &error);  // until it has closed them
  REQUIRE(adoption != nullptr);
  REQUIRE(adoption->producer_alive());
  program.kill_and_leave();
  REQUIRE_FALSE(adoption->producer_alive());
}

TEST_CASE("a process that became another program by exec is not the one that wrote the journal") {
  const Spool spool;
  const Pipe ready;
  Child child([&] {
    const auto writer = Writer::open(spool.options(), nullptr);
    if (writer->append("snapshot", false, 0) == 0) return 1;
    ready.say();
    ::execl("/bin/sleep", "sleep", "60", static_cast<char*>(nullptr));
    return 2;
  });
  REQUIRE(ready.hear() == '.');
  const std::string path = std::filesystem::directory_iterator(spool.path())->path();
  std::unique_ptr<Adoption> adoption;
  ReadError error = ReadError::kBusy;
  while (error == ReadError::kBusy) adoption = adopt(path, &error);  // until exec has closed the file
  REQUIRE(adoption != nullptr);
  REQUIRE_FALSE(adoption->producer_alive());
  REQUIRE(adoption->contents().records.size() == 1);
}

TEST_CASE("what a program dropped before it was killed is known") {
  const Spool spool;
  const Pipe ready;
  Child child([&] {
    const auto writer = Writer::open(spool.options(), nullptr);
    for (int i = 0; i < 3; ++i) writer->append(filling(kSmallUnits + 1), true, 0);
    ready.say();
    for (;;) ::pause();
    return 0;
  });
  REQUIRE(ready.hear() == '.');
  child.end(SIGKILL);
  ReadError error = ReadError::kNone;
  const std::string path = std::filesystem::directory_iterator(spool.path())->path();
  REQUIRE(adopt(path, &error)->contents().dropped == 3);
}

TEST_CASE("a producer of another boot, namespace or start is not alive") {
  const Spool spool;
  const auto writer = spool.open();
  const std::string path = writer->path();
  const auto alive_with = [&](Producer producer) {
    const Head head{producer, kSmall, 1};
    std::string bytes = bytes_of(path);
    write_head(head, bytes.data());
    const auto aside = spool.path() / "aside";  // under the name of the one that is mapped
    std::filesystem::create_directory(aside);
    const std::string copy = (aside / std::filesystem::path(path).filename()).string();
    std::ofstream(copy, std::ios::binary) << bytes;
    ReadError error = ReadError::kNone;
    return adopt(copy, &error)->producer_alive();
  };
  const Producer self = Producer::self();
  REQUIRE(alive_with(self));
  Producer other = self;
  other.boot_id = "00000000-0000-0000-0000-000000000000";
  REQUIRE_FALSE(alive_with(other));
  other = self;
  other.pid_namespace += 1;
  REQUIRE_FALSE(alive_with(other));
  other = self;
  other.start_ticks += 1;
  REQUIRE_FALSE(alive_with(other));
  other = self;
  other.pid = 0;
  REQUIRE_FALSE(alive_with(other));
}

TEST_CASE("neither symbolic links nor anything but files are opened") {
  const Spool spool;
  std::string path;
  {
    const auto writer = spool.open();
    path = writer->path();
  }
  const std::string link = (spool.path() / "link.journal").string();
  std::filesystem::create_symlink(path, link);
  REQUIRE(refusal(link) == ReadError::kUnreadable);
  const std::string fifo = (spool.path() / "fifo.journal").string();
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  REQUIRE(refusal(fifo) == ReadError::kUnreadable);
  REQUIRE(refusal(spool.path().string()) == ReadError::kUnreadable);
  REQUIRE(refusal((spool.path() / "missing.journal").string()) == ReadError::kUnreadable);
}

TEST_CASE("a file of another owner is not read") {
  const Spool spool;
  std::string path;
  {
    const auto writer = spool.open();
    path = writer->path();
  }
  REQUIRE(refusal(path, ::geteuid() + 1) == ReadError::kUnreadable);
}

TEST_CASE("a file larger than journals are is not read") {
  const Spool spool;
  const std::string path = (spool.path() / "large.journal").string();
  std::ofstream(path) << "sparse";
  std::filesystem::resize_file(path, kBytesMax + 1);
  REQUIRE(refusal(path) == ReadError::kUnreadable);
}

TEST_CASE("an empty file is adopted as damaged, so that it can be removed") {
  const Spool spool;
  const std::string path = (spool.path() / "empty.journal-new").string();
  std::ofstream(path).flush();
  ReadError error = ReadError::kNone;
  const auto adoption = adopt(path, &error);
  REQUIRE(error == ReadError::kDamagedHead);
  REQUIRE(adoption != nullptr);
  REQUIRE(adoption->contents().records.empty());
  REQUIRE_FALSE(adoption->producer_alive());
}

TEST_CASE("a journal of a newer version is not adopted") {
  const Spool spool;
  std::string path;
  {
    const auto writer = spool.open();
    path = writer->path();
  }
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  for (const int at : {8, 2048 + 8}) file.seekp(at).put(2);
  file.close();
  REQUIRE(refusal(path) == ReadError::kNewer);
}

TEST_CASE("what a dead program had delivered but not ended is among its records") {
  const Spool spool;
  Child child([&] {
    const auto writer = Writer::open(spool.options(), nullptr);
    writer->delivered(writer->append("open run", false, 0));
    writer->append("ended run", true, 0);
    return 0;
  });
  REQUIRE(child.wait() == 0);
  ReadError error = ReadError::kNone;
  const auto adoption = adopt(std::filesystem::directory_iterator(spool.path())->path(), &error);
  REQUIRE(adoption->contents().records.size() == 2);
}

TEST_CASE("a glimpse shows whose a journal is and who holds it, and takes part in nothing") {
  const Spool spool;
  Program program(spool);
  Glimpse glimpse;
  REQUIRE(glimpse_at(program.path(), ::geteuid(), &glimpse) == ReadError::kNone);
  REQUIRE(glimpse.producer.pid == static_cast<std::uint32_t>(program.pid()));
  REQUIRE(glimpse.locked);
  REQUIRE(glimpse.holder == glimpse.producer.pid);
  REQUIRE(refusal(program.path()) == ReadError::kBusy);
  program.kill();
  REQUIRE(glimpse_at(program.path(), ::geteuid(), &glimpse) == ReadError::kNone);
  REQUIRE_FALSE(glimpse.locked);
  REQUIRE(glimpse.holder == 0);
}

TEST_CASE("a journal is looked into while its program lives") {
  const Spool spool;
  const Program program(spool);
  Contents contents;
  REQUIRE(look_into(program.path(), ::geteuid(), &contents) == ReadError::kNone);
  REQUIRE(contents.records.size() == 1);
  REQUIRE(refusal(program.path()) == ReadError::kBusy);
}

TEST_CASE("neither shows what is another's, or no file, and damage to the head is told") {
  const Spool spool;
  Program program(spool);
  Glimpse glimpse;
  Contents contents;
  REQUIRE(glimpse_at(program.path(), ::geteuid() + 1, &glimpse) == ReadError::kUnreadable);
  REQUIRE(look_into(program.path(), ::geteuid() + 1, &contents) == ReadError::kUnreadable);
  REQUIRE(glimpse_at((spool.path() / "nothing").string(), ::geteuid(), &glimpse) == ReadError::kUnreadable);
  program.kill();
  std::ofstream(program.path(), std::ios::trunc) << "short";
  REQUIRE(glimpse_at(program.path(), ::geteuid(), &glimpse) == ReadError::kDamagedHead);
  REQUIRE(glimpse.producer.boot_id.empty());
  REQUIRE_FALSE(glimpse.locked);
}

}  // namespace
}  // namespace kleptometrics::journal::test
