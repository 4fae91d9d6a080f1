// Records the history of a supercomputer as past runs: reads a log in Standard Workload Format (version 2.2
// of the Parallel Workloads Archive) and gives every line to the aggregator as a run with an explicit start
// and end. Shows how history is imported: chosen ids, so that importing twice counts nothing twice, and flow
// control, so that a journal of bounded size is never overrun while the aggregator is slow or away.
//
// A line has 18 numbers, -1 where unknown. Used here, counted from 1: 1 number of the job, 2 submitted
// (seconds after UnixStartTime of the header), 3 seconds waited, 4 seconds run, 5 processors, 11 status, 12
// user, 13 group, 14 program, 15 queue.
//
// IDS. The id of a run is a UUID of version 8 (RFC 9562: its bits are the maker's own) from two 64-bit hashes
// over the log's header (every comment before its first line of data), --id-salt and the number of the job.
// Hence the same log gives the same ids, under whatever name and by whatever pipe it comes; logs with
// different headers never share them. For logs without a header, tell them apart by --id-salt.
#include <kleptometrics/kleptometrics.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cinttypes>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "examples/arguments.h"

namespace {

using kleptometrics::Duration;
using kleptometrics::WallTime;

constexpr std::string_view kUsage =
    "replay_swf [--endpoint URL] [--wait SECONDS] [--batch N] [--id-salt TEXT] [--skip-bad] FILE\n"
    "\n"
    "Records every line of a Standard Workload Format log as a past run of job p<program number> (pnone "
    "where the\n"
    "program is unknown). FILE is plain text, `-` the standard input: zcat LOG.swf.gz | replay_swf -\n"
    "\n"
    "  --endpoint URL   the aggregator, unix:/path or http://host:port (KLEPTO_ENDPOINT, else the local "
    "sockets)\n"
    "  --wait SECONDS   how long to keep trying while the aggregator takes nothing (60)\n"
    "  --batch N        runs between two waits for delivery; all of them must fit into the journal (500)\n"
    "  --id-salt TEXT   goes into the ids of the runs, to record the same log as another history\n"
    "  --skip-bad       go on behind a malformed line, saying so\n"
    "\n"
    "The same log again makes the same ids: the aggregator counts nothing twice.\n"
    "Exit code: 0 all runs are delivered, 1 not all are, or a malformed line ended it, 2 the arguments are "
    "wrong.\n";

struct Options {
  std::string file, endpoint, id_salt;
  std::chrono::duration<double> wait{60};
  unsigned batch = 500;
  bool skip_bad = false;
};

Options parse(int argc, char** argv) {
  Options options;
  examples::Arguments arguments(argc, argv, kUsage);
  while (arguments.next()) {
    if (arguments.is("--endpoint"))
      options.endpoint = arguments.value();
    else if (arguments.is("--wait"))
      options.wait = std::chrono::duration<double>(arguments.number(0, 1e6));
    else if (arguments.is("--batch"))
      options.batch = arguments.whole_number(1, 100'000);
    else if (arguments.is("--id-salt"))
      options.id_salt = arguments.value();
    else if (arguments.is("--skip-bad"))
      options.skip_bad = true;
    else if (arguments.is_word() && options.file.empty())
      options.file = arguments.word();
    else
      arguments.refuse_unknown();
  }
  if (options.file.empty()) arguments.refuse("which log? FILE is missing");
  return options;
}

// What a line says of one job; nothing where the log says -1.
struct Job {
  std::int64_t number = 0;
  std::optional<Duration> submitted, waited, ran;  // `submitted` since the start of the log
  std::optional<std::int64_t> processors, status, user, group, program, queue;
};

constexpr std::size_t kFields = 18;
constexpr double kNumberMax = 4e9;  // beyond it neither seconds nor numbers of jobs are meant

// Throws std::runtime_error, saying what is wrong with the line.
std::array<double, kFields> fields_of(const std::string& line) {
  std::array<double, kFields> fields{};
  const char* at = line.c_str();
  const auto skip_blanks = [&at] { at += std::strspn(at, " \t"); };
  skip_blanks();
  for (std::size_t i = 0; i < kFields; ++i) {
    const std::string name = "field " + std::to_string(i + 1);
    if (*at == '\0') throw std::runtime_error(name + " is missing: there must be 18");
    char* end = nullptr;
    fields[i] = std::strtod(at, &end);
    if (end == at || std::strchr(" \t", *end) == nullptr) throw std::runtime_error(name + " is not a number");
    if (!(std::abs(fields[i]) <= kNumberMax)) throw std::runtime_error(name + " is out of range");
    at = end;
    skip_blanks();
  }
  if (*at != '\0') throw std::runtime_error("has more than 18 fields");
  return fields;
}

// Exact for whole seconds, which a product of doubles would not be.
Duration nanoseconds(double seconds) {
  const double whole = std::floor(seconds);
  return std::chrono::seconds(std::llround(whole)) + Duration(std::llround((seconds - whole) * 1e9));
}

Job job_of(const std::string& line) {
  const std::array<double, kFields> fields = fields_of(line);
  const auto field = [&](std::size_t number) -> std::optional<double> {
    const double value = fields[number - 1];
    return value < 0 ? std::nullopt : std::optional<double>(value);
  };
  const auto time = [&](std::size_t number) -> std::optional<Duration> {
    const std::optional<double> value = field(number);
    return value ? std::optional<Duration>(nanoseconds(*value)) : std::nullopt;
  };
  const auto whole = [&](std::size_t number) -> std::optional<std::int64_t> {
    const std::optional<double> value = field(number);
    return value ? std::optional<std::int64_t>(std::llround(*value)) : std::nullopt;
  };
  if (!field(1)) throw std::runtime_error("field 1, the number of the job, is unknown");
  return {*whole(1), time(2), time(3), time(4), whole(5), whole(11), whole(12), whole(13), whole(14), whole(15)};
}

// FNV-1a over what it is fed, finished by the mixer of splitmix64, since FNV alone leaves neighbours alike.
class Hash {
 public:
  explicit Hash(std::uint64_t seed) : state_(0xcbf29ce484222325U ^ seed) {}
  void feed(std::string_view text) {
    for (const char c : text) state_ = (state_ ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    state_ = (state_ ^ 0xffU) * 0x100000001b3U;  // ends the text: "a", "b" is not "ab"
  }
  std::uint64_t value() const {
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebU;
    return mixed ^ (mixed >> 31U);
  }

 private:
  std::uint64_t state_;
};

// Makes the ids of a log's runs, as said at the top.
class Ids {
 public:
  void feed(std::string_view text) {
    high_.feed(text);
    low_.feed(text);
  }
  std::string of(std::int64_t job) const {
    Hash high = high_, low = low_;
    high.feed(std::to_string(job));
    low.feed(std::to_string(job));
    const std::uint64_t front = (high.value() & ~std::uint64_t{0xf000}) | 0x8000U;                      // version 8
    const std::uint64_t back = (low.value() & ~(std::uint64_t{3} << 62U)) | (std::uint64_t{2} << 62U);  // variant
    char text[37];
    std::snprintf(text, sizeof text, "%08" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%012" PRIx64,
                  front >> 32U, (front >> 16U) & 0xffffU, front & 0xffffU, back >> 48U, back & 0xffffffffffffU);
    return text;
  }

 private:
  Hash high_{0}, low_{0x9e3779b97f4a7c15U};
};

class Replay {
 public:
  Replay(const Options& options, kleptometrics::Client& client) : options_(options), client_(client) {
    ids_.feed(options.id_salt);
  }

  // Reads to the end, or to the first malformed line. False: not everything is read and delivered.
  bool run(std::istream& log) {
    bool good = true, delivered = true;
    std::string line;
    for (std::size_t number = 1; good && delivered && std::getline(log, line); ++number) {
      while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
      if (line.find_first_not_of(" \t") == std::string::npos) continue;
      try {
        take(line);
      } catch (const std::runtime_error& error) {
        std::fprintf(stderr, "replay_swf: %s:%zu: %s\n", options_.file.c_str(), number, error.what());
        ++bad_;
        good = options_.skip_bad;
      }
      if (good && recorded_ == next_wait_) {
        next_wait_ += options_.batch;
        delivered = deliver();
      }
    }
    if (log.bad()) std::fprintf(stderr, "replay_swf: cannot read %s to its end\n", options_.file.c_str());
    return delivered && deliver() && good && !log.bad();
  }

  // A line of totals. False: something of it was lost.
  bool report() const {
    const kleptometrics::ClientStats stats = client_.stats();
    std::printf("recorded %" PRIu64 ", delivered %" PRIu64 ", duplicates %" PRIu64 ", rejected %" PRIu64
                ", dropped %" PRIu64 ", pending %" PRIu64 "; skipped %" PRIu64 ", malformed %" PRIu64 "\n",
                recorded_, stats.delivered, stats.duplicates, stats.rejected, stats.dropped, stats.pending, skipped_,
                bad_);
    if (recorded_ != stats.runs) std::fprintf(stderr, "replay_swf: recording is disabled\n");
    return stats.dropped == 0 && stats.rejected == 0 && stats.pending == 0 && recorded_ == stats.runs;
  }

 private:
  void take(const std::string& line) {
    if (line[0] == ';') return header(line);
    if (line.rfind("\x1f\x8b", 0) == 0) throw std::runtime_error("is compressed: zcat FILE | replay_swf -");
    if (in_header_ && !dated_) std::fprintf(stderr, "replay_swf: no UnixStartTime: times count from 1970\n");
    in_header_ = false;
    const Job job = job_of(line);
    // 2, 3 and 4 mark parts of a job that was interrupted; a line of its own sums them up. A job of unknown
    // time has no end that could be told.
    const bool part = job.status && *job.status >= 2 && *job.status <= 4;
    if (part || !job.submitted || !job.ran) {
      ++skipped_;
      return;
    }
    record(job);
    ++recorded_;
  }

  void header(const std::string& line) {
    constexpr std::string_view kStart = "UnixStartTime:";
    if (in_header_) ids_.feed(line);
    const std::size_t at = line.find(kStart);
    if (at == std::string::npos) return;
    log_started_ = std::chrono::seconds(std::atoll(line.c_str() + at + kStart.size()));
    dated_ = true;
  }

  void record(const Job& job) {
    const WallTime submitted(std::chrono::duration_cast<WallTime::duration>(log_started_ + *job.submitted));
    const WallTime started =
        submitted + std::chrono::duration_cast<WallTime::duration>(job.waited.value_or(Duration{}));
    kleptometrics::RunOptions options;
    options.id = ids_.of(job.number);
    options.started_at = started;
    if (job.waited) options.scheduled_at = submitted;  // when it should have started: the wait is the start delay
    const std::string name = job.program ? "p" + std::to_string(*job.program) : "pnone";

    kleptometrics::Run run(client_, name, std::move(options));
    if (job.processors) run.count("processors", static_cast<double>(*job.processors));
    if (job.user) run.label("user", std::to_string(*job.user));
    if (job.group) run.label("group", std::to_string(*job.group));
    if (job.queue) run.label("queue", std::to_string(*job.queue));
    if (job.status == 0) run.fail("status 0");
    if (job.status == 5) run.cancel();
    run.finish_at(started + std::chrono::duration_cast<WallTime::duration>(*job.ran));
  }

  // Waits until everything recorded is delivered. False: it is not, after all the time given.
  bool deliver() {
    using Clock = std::chrono::steady_clock;
    const auto deadline = Clock::now() + std::chrono::duration_cast<Duration>(options_.wait);
    for (bool told = false;; told = true) {
      const Duration left = deadline - Clock::now();
      if (client_.flush(std::clamp<Duration>(left, Duration{}, std::chrono::seconds(1)))) return true;
      if (left <= Duration{}) return give_up();
      if (!told)
        std::fprintf(stderr, "replay_swf: waiting for the aggregator: %s\n", client_.stats().last_error.c_str());
    }
  }

  bool give_up() const {
    const kleptometrics::ClientStats stats = client_.stats();
    std::fprintf(stderr, "replay_swf: %" PRIu64 " not delivered after %g s%s: %s\n", stats.pending,
                 options_.wait.count(), stats.durable ? " (kept in the journal)" : "", stats.last_error.c_str());
    return false;
  }

  const Options& options_;
  kleptometrics::Client& client_;
  Ids ids_;
  bool in_header_ = true, dated_ = false;
  Duration log_started_{};  // since 1970, by the header
  std::uint64_t recorded_ = 0, skipped_ = 0, bad_ = 0;
  std::uint64_t next_wait_ = options_.batch;
};

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  std::ifstream file;
  if (options.file != "-") {
    file.open(options.file);
    if (!file) {
      std::fprintf(stderr, "replay_swf: cannot open %s\n", options.file.c_str());
      return 1;
    }
  }
  kleptometrics::ClientOptions client_options;
  client_options.endpoint = options.endpoint;
  kleptometrics::Client client(client_options);
  Replay replay(options, client);
  const bool complete = replay.run(options.file == "-" ? std::cin : file);
  return replay.report() && complete ? 0 : 1;
}
