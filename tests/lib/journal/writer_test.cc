// What a writer keeps, hands out and survives; with a file and without.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "tests/lib/journal/spool.h"

namespace kleptometrics::journal::test {
namespace {

constexpr std::size_t kNoLimit = SIZE_MAX;

std::vector<std::string> payloads(const std::vector<Record>& records) {
  std::vector<std::string> out;
  for (const Record& record : records) out.push_back(record.payload);
  return out;
}

std::vector<std::string> pending_payloads(const Writer& writer) {
  return payloads(writer.pending(0, kNoLimit, kNoLimit));
}

using Payloads = std::vector<std::string>;

TEST_CASE("records come back from the file as they were appended") {
  const Spool spool;
  const auto writer = spool.open();
  const Sequence first = writer->append("alpha", false, 0);
  const Sequence second = writer->append("", false, 0);
  const Sequence third = writer->append(std::string(5000, '\0'), true, 0);
  REQUIRE(first > 0);
  REQUIRE(second > first);
  REQUIRE(third > second);
  const Contents contents = contents_of(*writer);
  REQUIRE(contents.damaged == 0);
  REQUIRE(payloads(contents.records) == Payloads{"alpha", "", std::string(5000, '\0')});
  REQUIRE(contents.records[0].sequence == first);
  REQUIRE_FALSE(contents.records[0].terminal);
  REQUIRE(contents.records[2].sequence == third);
  REQUIRE(contents.records[2].terminal);
}

TEST_CASE("a payload of every size around the ends of units survives") {
  const Spool spool;
  const auto writer = spool.open(1U << 20U);
  Payloads all;
  for (std::size_t size = 0; size < 300; ++size) {
    all.push_back(std::string(size, static_cast<char>('a' + size % 26U)));
    REQUIRE(writer->append(all.back(), false, 0) != 0);
  }
  REQUIRE(payloads(contents_of(*writer).records) == all);
  REQUIRE(pending_payloads(*writer) == all);
}

TEST_CASE("the head names this process") {
  const Spool spool;
  const Producer read = contents_of(*spool.open()).producer;
  const Producer self = Producer::self();
  REQUIRE(read.pid == static_cast<std::uint32_t>(::getpid()));
  REQUIRE(read.start_ticks == self.start_ticks);
  REQUIRE(read.start_ticks > 0);
  REQUIRE(read.pid_namespace == self.pid_namespace);
  REQUIRE(read.boot_id == self.boot_id);
  REQUIRE(read.boot_id.size() == 36);
  REQUIRE(read.program == "lib_journal_test");
}

TEST_CASE("the file is private, of the wished size and has its final name") {
  const Spool spool;
  const auto writer = spool.open(100'000);
  REQUIRE(std::filesystem::path(writer->path()).extension() == kSuffix);
  REQUIRE(std::filesystem::path(writer->path()).is_absolute());
  struct stat status {};
  REQUIRE(::stat(writer->path().c_str(), &status) == 0);
  REQUIRE((status.st_mode & 0777U) == 0600);
  REQUIRE(status.st_size % ::sysconf(_SC_PAGESIZE) == 0);
  REQUIRE(status.st_size >= 100'000);
  REQUIRE(status.st_blocks * 512 >= status.st_size);  // no hole to raise SIGBUS
  REQUIRE(spool.file_count() == 1);
}

TEST_CASE("the smallest journal has 64 KiB, whatever is wished") {
  const Spool spool;
  REQUIRE(bytes_of(spool.open(1)->path()).size() == kSmall);
}

TEST_CASE("a newer record retires the one it supersedes") {
  const Spool spool;
  const auto writer = spool.open();
  Sequence last = 0;
  for (int i = 0; i < 10'000; ++i) {
    last = writer->append("revision " + std::to_string(i), false, last);
    REQUIRE(last != 0);
  }
  REQUIRE(writer->live_count() == 1);
  REQUIRE(payloads(contents_of(*writer).records) == Payloads{"revision 9999"});
  REQUIRE(pending_payloads(*writer) == Payloads{"revision 9999"});
  REQUIRE(writer->dropped() == 0);
}

TEST_CASE("a retired record is gone, and retiring it again is fine") {
  const Spool spool;
  const auto writer = spool.open();
  const Sequence first = writer->append("one", true, 0);
  writer->append("two", true, 0);
  writer->retire(first);
  writer->retire(first);
  writer->retire(0);
  writer->retire(999);
  REQUIRE(payloads(contents_of(*writer).records) == Payloads{"two"});
  REQUIRE(writer->live_count() == 1);
}

TEST_CASE("a delivered record is pending no more but stays in the file") {
  const Spool spool;
  const auto writer = spool.open();
  const Sequence open_run = writer->append("open", false, 0);
  writer->append("other", false, 0);
  writer->delivered(open_run);
  writer->delivered(open_run);
  writer->delivered(12345);
  REQUIRE(pending_payloads(*writer) == Payloads{"other"});
  REQUIRE(writer->pending_count() == 1);
  REQUIRE(writer->live_count() == 2);
  REQUIRE(payloads(contents_of(*writer).records) == Payloads{"open", "other"});
  REQUIRE(writer->append("ended", true, open_run) != 0);
  REQUIRE(payloads(contents_of(*writer).records) == Payloads{"other", "ended"});
}

TEST_CASE("pending hands out what fits, oldest first, and goes on after a sequence") {
  const auto writer = Writer::open({}, nullptr);
  std::vector<Sequence> sequences;
  for (int i = 0; i < 5; ++i)
    sequences.push_back(writer->append(std::string(100, static_cast<char>('a' + i)), false, 0));
  REQUIRE(writer->pending(0, 0, kNoLimit).empty());
  REQUIRE(writer->pending(0, 2, kNoLimit).size() == 2);
  REQUIRE(writer->pending(0, kNoLimit, 350).size() == 3);
  REQUIRE(writer->pending(0, kNoLimit, 300).size() == 3);
  REQUIRE(writer->pending(0, kNoLimit, 1).size() == 1);
  REQUIRE(writer->pending(0, kNoLimit, 0).size() == 1);
  const auto rest = writer->pending(sequences[2], kNoLimit, kNoLimit);
  REQUIRE(rest.size() == 2);
  REQUIRE(rest[0].sequence == sequences[3]);
  REQUIRE(writer->pending(sequences[4], kNoLimit, kNoLimit).empty());
  REQUIRE(writer->pending(kNoLimit, kNoLimit, kNoLimit).empty());
}

TEST_CASE("ten thousand pending records can be walked in small pages while they are retired") {
  Writer::Options options;
  options.bytes = 4U << 20U;
  const auto writer = Writer::open(options, nullptr);
  for (int i = 0; i < 12'000; ++i) REQUIRE(writer->append("run " + std::to_string(i), i % 2 == 0, 0) != 0);
  std::size_t seen = 0;
  for (Sequence after = 0;;) {
    const auto page = writer->pending(after, 7, kNoLimit);
    if (page.empty()) break;
    for (const Record& record : page) REQUIRE(record.payload == "run " + std::to_string(seen++));
    after = page.back().sequence;
    writer->retire(page.front().sequence);
  }
  REQUIRE(seen == 12'000);
}

TEST_CASE("without a directory all works, in memory") {
  std::string error = "untouched";
  const auto writer = Writer::open({}, &error);
  REQUIRE(error == "untouched");
  REQUIRE_FALSE(writer->durable());
  REQUIRE(writer->path().empty());
  const Sequence one = writer->append("one", false, 0);
  writer->append("two", true, one);
  REQUIRE(pending_payloads(*writer) == Payloads{"two"});
}

void require_memory_only(const Writer::Options& options, const std::string& error_part) {
  std::string error;
  const auto writer = Writer::open(options, &error);
  INFO(error);
  REQUIRE(writer != nullptr);
  REQUIRE_FALSE(writer->durable());
  REQUIRE(writer->path().empty());
  REQUIRE(error.find(error_part) != std::string::npos);
  REQUIRE(writer->append("kept all the same", true, 0) != 0);
  REQUIRE(pending_payloads(*writer) == Payloads{"kept all the same"});
}

TEST_CASE("a missing directory leaves the writer in memory and says so") {
  const Spool spool;
  Writer::Options options = spool.options();
  options.directory += "/missing";
  require_memory_only(options, "No such file");
}

TEST_CASE("a file in the directory's place leaves the writer in memory and says so") {
  const Spool spool;
  Writer::Options options = spool.options();
  options.directory += "/file";
  std::ofstream(options.directory) << "not a directory";
  require_memory_only(options, "Not a directory");
}

TEST_CASE("journals of a directory never take more than it may hold") {
  const Spool spool;
  const auto first = spool.open();
  Writer::Options options = spool.options();
  options.directory_bytes_max = 2 * kSmall - 1;
  require_memory_only(options, "would exceed");
  REQUIRE(spool.file_count() == 1);
  options.directory_bytes_max = 2 * kSmall;
  REQUIRE(Writer::open(options, nullptr)->durable());
  options.directory_bytes_max = kSmall - 1;
  require_memory_only(options, "would exceed");
}

TEST_CASE("only journals count against what the directory may hold") {
  const Spool spool;
  std::ofstream(spool.path() / "big.txt") << std::string(3 * kSmall, 'x');
  std::filesystem::create_symlink(spool.path() / "big.txt", spool.path() / "link.journal");
  Writer::Options options = spool.options();
  options.directory_bytes_max = kSmall;
  REQUIRE(Writer::open(options, nullptr)->durable());
}

TEST_CASE("a limit on the size of files is kept instead of running into its signal") {
  const Spool spool;
  Child child([&] {
    const rlimit limit{4096, 4096};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    std::string error;
    const auto writer = Writer::open(spool.options(), &error);
    const bool works = writer->append("kept", true, 0) != 0;
    return works && !writer->durable() && error.find("limited to 4096") != std::string::npos ? 0 : 1;
  });
  REQUIRE(child.wait() == 0);
  REQUIRE(spool.file_count() == 0);
}

TEST_CASE("a program without descriptors left keeps its records in memory") {
  const Spool spool;
  Child child([&] {
    const rlimit limit{3, 3};
    ::setrlimit(RLIMIT_NOFILE, &limit);
    std::string error;
    const auto writer = Writer::open(spool.options(), &error);
    return writer->append("kept", true, 0) != 0 && !writer->durable() && !error.empty() ? 0 : 1;
  });
  REQUIRE(child.wait() == 0);
}

TEST_CASE("the journal never takes the place of a standard stream") {
  const Spool spool;
  Child child([&] {
    for (int fd = 0; fd < 3; ++fd) ::close(fd);
    const auto writer = Writer::open(spool.options(), nullptr);
    const bool free = ::fcntl(0, F_GETFD) < 0 && ::fcntl(1, F_GETFD) < 0 && ::fcntl(2, F_GETFD) < 0;
    return writer->durable() && free ? 0 : 1;
  });
  REQUIRE(child.wait() == 0);
}

TEST_CASE("a host that closed all descriptors keeps what it then opened under their numbers") {
  const Spool spool;
  Child child([&] {
    auto writer = Writer::open(spool.options(), nullptr);
    for (int fd = 3; fd < 64; ++fd) ::close(fd);
    for (int fd = 3; fd < 64; ++fd) {
      if (::open("/dev/null", O_RDONLY) != fd) return 1;
    }
    if (writer->append("still works", true, 0) == 0) return 2;
    writer.reset();
    for (int fd = 3; fd < 64; ++fd) {
      if (::fcntl(fd, F_GETFD) < 0) return 3;
    }
    return 0;
  });
  REQUIRE(child.wait() == 0);
}

TEST_CASE("a removed file leaves the writer working in memory") {
  const Spool spool;
  const auto writer = spool.open();
  writer->append("before", true, 0);
  writer->remove_file();
  writer->remove_file();
  REQUIRE(spool.file_count() == 0);
  REQUIRE_FALSE(writer->durable());
  REQUIRE(writer->path().empty());
  REQUIRE(writer->append("after", true, 0) != 0);
  REQUIRE(pending_payloads(*writer) == Payloads{"before", "after"});
}

TEST_CASE("a writer that ends leaves its file in place") {
  const Spool spool;
  std::string path;
  {
    const auto writer = spool.open();
    path = writer->path();
    writer->append("left behind", true, 0);
  }
  REQUIRE(payloads(parsed(bytes_of(path)).records) == Payloads{"left behind"});
}

TEST_CASE("threads append, retire and read at once without losing a record") {
  const Spool spool;
  const auto writer = spool.open(1U << 20U);
  constexpr int kThreads = 4;
  constexpr int kRevisions = 2000;
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&writer, t] {
      Sequence last = 0;
      for (int i = 0; i < kRevisions; ++i) {
        const std::string run = std::to_string(t) + " " + std::to_string(i);
        last = writer->append(run, i == kRevisions - 1, last);
        if (i % 3 == 0) writer->delivered(last);
        if (i % 100 == 0) writer->retire(writer->append("passing", true, 0));
      }
    });
  }
  std::thread reader([&] {
    while (!done) {
      Sequence last = 0;
      for (const Record& record : writer->pending(0, kNoLimit, kNoLimit)) {
        if (record.sequence <= last || record.payload.empty()) std::terminate();
        last = record.sequence;
      }
      (void)writer->live_count();
      (void)writer->dropped();
    }
  });
  for (std::thread& thread : threads) thread.join();
  done = true;
  reader.join();
  REQUIRE(writer->dropped() == 0);
  const Contents contents = contents_of(*writer);
  REQUIRE(contents.damaged == 0);
  std::set<std::string> runs;
  for (const Record& record : contents.records) runs.insert(record.payload);
  REQUIRE(runs == std::set<std::string>{"0 1999", "1 1999", "2 1999", "3 1999"});
}

#if defined(__SANITIZE_THREAD__)
#define KLEPTO_TEST_FORKS_THREADS 0
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define KLEPTO_TEST_FORKS_THREADS 0
#endif
#endif
#ifndef KLEPTO_TEST_FORKS_THREADS  // ThreadSanitizer cannot follow a fork of many threads
#define KLEPTO_TEST_FORKS_THREADS 1
#endif

#if KLEPTO_TEST_FORKS_THREADS
TEST_CASE("a child forked while others append gives up without a hang and without harm") {
  const Spool spool;
  auto writer = spool.open();
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      Sequence last = 0;
      while (!done) last = writer->append("progress", false, last);
    });
  }
  for (int i = 0; i < 50; ++i) {
    Child child([&writer] {
      const bool inert = writer->append("from the child", true, 0) == 0 && writer->pending(0, 9, 9).empty() &&
                         writer->pending_count() == 0 && writer->live_count() == 0 && writer->dropped() == 0 &&
                         !writer->durable() && writer->path().empty();
      writer->retire(1);
      writer->delivered(1);
      writer->remove_file();
      writer.reset();
      return inert ? 0 : 1;
    });
    REQUIRE(child.wait() == 0);
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
  const std::string path = writer->path();
  Child prober([&path] {
    ReadError error = ReadError::kNone;
    return Adoption::open(path, ::geteuid(), &error) == nullptr && error == ReadError::kBusy ? 0 : 1;
  });
  REQUIRE(prober.wait() == 0);  // the children did not drop the parent's lock
  REQUIRE(payloads(contents_of(*writer).records) == Payloads{"progress", "progress"});
}
#endif

}  // namespace
}  // namespace kleptometrics::journal::test
