// A spool directory of a test's own, and short words for what the tests of the journal do with it.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "lib/journal/format.h"
#include "lib/journal/journal.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace kleptometrics::journal::test {

inline constexpr std::size_t kSmall = 64U << 10U;
// What a journal of kSmall bytes can hold.
inline constexpr std::size_t kSmallUnits = (kSmall - kHeadBytes) / kUnitBytes;

// The payload that makes a record fill `units` units to the last byte.
inline std::string filling(std::size_t units, char with = 'x') {
  return std::string(units * kUnitBytes - kRecordHeadBytes, with);
}

inline std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline Contents parsed(std::string_view bytes) {
  Contents contents;
  REQUIRE(parse(bytes, &contents) == ReadError::kNone);
  return contents;
}

// Reads past the lock, and so drops it where the writer is of this process: not for tests of the lock.
inline Contents contents_of(const Writer& writer) { return parsed(bytes_of(writer.path())); }

class Spool {
 public:
  std::filesystem::path path() const { return dir_.path(); }
  std::size_t file_count() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path()), {}));
  }

  Writer::Options options(std::size_t bytes = kSmall) const {
    Writer::Options options;
    options.directory = dir_.path();
    options.bytes = bytes;
    return options;
  }

  // A writer that has its file.
  std::unique_ptr<Writer> open(std::size_t bytes = kSmall) const {
    std::string error;
    auto writer = Writer::open(options(bytes), &error);
    INFO(error);
    REQUIRE(writer != nullptr);
    REQUIRE(writer->durable());
    REQUIRE(error.empty());
    return writer;
  }

 private:
  tests::TempDir dir_;
};

// A forked process that runs `body` and exits with what it returns. It must not use Catch's macros.
class Child {
 public:
  template <typename Body>
  explicit Child(Body body) : pid_(::fork()) {
    if (pid_ == 0) ::_exit(body());
    REQUIRE(pid_ > 0);
  }
  ~Child() {
    if (pid_ > 0) end(SIGKILL);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  void kill() const { ::kill(pid_, SIGKILL); }
  // Its exit code; -1 if a signal ended it.
  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  void end(int signal) {
    ::kill(pid_, signal);
    wait();
  }

 private:
  pid_t pid_;
};

// One-way talk between parent and child.
class Pipe {
 public:
  Pipe() { REQUIRE(::pipe(ends_) == 0); }
  ~Pipe() {
    ::close(ends_[0]);
    close_writing();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  bool say(char word = '.') const { return ::write(ends_[1], &word, 1) == 1; }
  // The next word; 0 if no one is left to say one.
  char hear() const {
    char word = 0;
    return ::read(ends_[0], &word, 1) == 1 ? word : '\0';
  }
  // So that hear() ends when the other side does.
  void close_writing() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }

 private:
  int ends_[2] = {-1, -1};
};

}  // namespace kleptometrics::journal::test
