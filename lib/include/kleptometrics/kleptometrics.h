// kleptometrics: times batch jobs from inside. A Run is one execution of a job and ends with its scope; steps are
// parts of it, timed the same way. What happened is kept in a memory-mapped journal and shipped in the background to
// kleptometricsd, which keeps the history and answers questions about it over HTTP.
//
//   kleptometrics::Run run("nightly-billing");      // starts now; ends with the scope
//   { auto load = run.step("load"); ... }           // a step, likewise
//   run.count("rows", 120000);
//
// No set-up is needed: the first Run makes a process-wide client from the environment (see Client). Nothing here
// throws, prints, installs a signal handler or waits for the network; with the aggregator missing, hung or
// full the program runs on as if nothing were there, and its runs are delivered later.
//
// HOW A RUN ENDS. Its scope is left: succeeded; by an exception: failed. fail() was called: failed. exit(0) inside the
// scope: succeeded; exit(n): failed with that exit code. _exit, quick_exit, abort, a fatal signal or exec: the
// aggregator finds the program gone and concludes crashed. After fork() the child's copies do nothing: it starts runs
// of its own.
//
// LIMITS. Job names [A-Za-z0-9][A-Za-z0-9._:-]{0,199} (other bytes become '_', the rest is cut); 16 labels of 1 KiB, 64
// counters, 256 steps a run, failure messages of 4 KiB. What exceeds them is cut or left out, and counted in
// ClientStats::cut.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace kleptometrics {

using WallTime = std::chrono::system_clock::time_point;
using Duration = std::chrono::nanoseconds;

enum class State { kRunning, kSucceeded, kFailed, kCanceled, kCrashed };

// What a hook sees. The views die when the hook returns.
struct RunInfo {
  std::string_view job, run_id;
  std::string_view step;     // path of the failed step; empty when it is about the run
  std::string_view message;  // why: the failure, or what is delayed
  State state = State::kRunning;
  WallTime started_at;
  Duration elapsed{};
  Duration start_delay{};  // 0 without scheduled_at
};

// Called on the client's own thread, one at a time, never on the job's. One that throws is contained and
// reported to on_error; one that is slow delays shipping and nothing else.
using Hook = std::function<void(const RunInfo&)>;

struct RunOptions {
  std::optional<WallTime> scheduled_at;  // when it should have started; gives the start delay
  Duration grace{};                      // start delay that is still on time
  Duration expected_duration{};          // 0: none. Still running beyond it calls on_delay once
  Duration max_duration{};               // 0: none. Likewise
  std::string id;         // UUID in text; empty, or not a UUID: a version 7 is made. The same id again is the same run
  std::string parent_id;  // UUID of the run that started this one; empty: KLEPTO_PARENT_ID, if it is set
  unsigned attempt = 1;   // 2 for the first retry
  std::string version;    // of the job, as its owners count it
  std::optional<WallTime> started_at;  // records a past run; give its end with finish_at()
  Hook on_failure, on_delay;           // beside those of the client
};

struct ClientOptions {
  // Where the aggregator is: `unix:/path`, `http://host:port` or `https://host:port`. Empty: KLEPTO_ENDPOINT; else the
  // user's socket if it exists, else the system's, else http://127.0.0.1:9461. Over https nothing is sent to whom cannot
  // prove, by a certificate for that host, who it is.
  std::string endpoint;
  // Folder of the journal, made (0700) if absent. Empty: KLEPTO_SPOOL_DIR; else `spool` in the user's state
  // directory, or /var/spool/kleptometrics/<uid> where the endpoint is the system's. Where it cannot be
  // used the client keeps everything in memory and says so once to on_error.
  std::string spool_dir;
  std::string api_key;  // scope `write`; empty: KLEPTO_API_KEY
  // File of the certificates (PEM) that alone are trusted to vouch for an https endpoint, for an authority of one's own.
  // Empty: KLEPTO_CA_FILE; else those that the system trusts. Read anew with every connection.
  std::string ca_file;
  // The longest that the end of the program, or of this client, waits for delivery. What is left then stays in the
  // journal and is picked up by the aggregator.
  Duration flush_timeout = std::chrono::milliseconds(250);
  // How often a run still open is reported; from 10 ms to 30 s (beyond: the nearer). An aggregator on another machine
  // knows by that alone that it goes on.
  Duration snapshot_interval = std::chrono::seconds(5);
  // Size of the journal file: everything not yet delivered must fit. At least 64 KiB.
  std::size_t journal_bytes_max = std::size_t{1} << 20U;
  Hook on_failure;  // a run, or a step of it, failed
  Hook on_delay;    // a run started late, or still runs beyond expected_duration or max_duration
  // What went wrong with telling (never with the job): a sentence. On the client's thread, at most
  // once a minute for each kind of trouble.
  std::function<void(std::string_view)> on_error;
};

// Counts since the client was made.
struct ClientStats {
  std::uint64_t runs = 0;        // started
  std::uint64_t delivered = 0;   // snapshots that the aggregator has taken
  std::uint64_t duplicates = 0;  // of them, those it had already
  std::uint64_t rejected = 0;    // snapshots that it refused for good
  std::uint64_t dropped = 0;     // snapshots lost because the journal was full
  std::uint64_t cut = 0;         // names, labels, counters and steps beyond the limits
  std::uint64_t retries = 0;     // pushes that failed and were tried again
  std::uint64_t pending = 0;     // snapshots not yet delivered
  bool durable = false;          // a journal file stands behind it
  std::string last_error;        // empty: none
};

namespace internal {
struct ClientAccess;
struct ClientState;
struct RunState;
struct StepNode;
struct ThreadCell;
enum class ClockKind : unsigned char;
}  // namespace internal

// Ships what runs record. One is made for the whole process when the first Run asks for it; make your own for
// tests, or for a host with several endpoints. KLEPTO_DISABLED=1 makes every client do nothing.
// Any thread may call any member, but not while it is being destroyed or moved.
class Client {
 public:
  explicit Client(ClientOptions options = {}) noexcept;
  // Waits at most flush_timeout. Runs still open have no effect from then on and are reported as crashed, and what is
  // not delivered yet is picked up by the aggregator, both once the program has ended.
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  // The process-wide client. Never destroyed; flushed when the program exits.
  static Client& process() noexcept;

  // Waits until everything recorded so far is delivered, at most `timeout`. False: not all of it is.
  bool flush(Duration timeout) noexcept;
  ClientStats stats() const noexcept;

 private:
  friend class Run;
  friend struct internal::ClientAccess;
  explicit Client(std::shared_ptr<internal::ClientState> state) noexcept;
  std::shared_ptr<internal::ClientState> state_;  // null: does nothing
};

class StepTimer;

// One execution of a part of a run, ends with its scope; failed if an exception leaves it or fail() was called.
// Executions of the same name within a run are added up in the process: count, failed, total, shortest, longest and
// distribution. Used by one thread at a time; different steps of one run may run on different threads.
// Must end before its Run does: what ends later is not counted.
class [[nodiscard]] Step {
 public:
  Step(Step&& other) noexcept;
  Step& operator=(Step&& other) noexcept;  // ends the step held so far
  ~Step();

  Step step(std::string_view name) noexcept;  // nested: `load/parse`. A '/' in a name becomes '_'
  StepTimer step_timer(std::string_view name) noexcept;
  void fail(std::string_view message) noexcept;  // this execution failed; the run does not
  void end() noexcept;                           // ends it before its scope does

 private:
  friend class Run;
  Step(std::shared_ptr<internal::RunState> run, internal::StepNode* node) noexcept;
  std::shared_ptr<internal::RunState> run_;
  internal::StepNode* node_ = nullptr;
  std::uint64_t begin_ = 0;
  int exceptions_ = 0;
  internal::ClockKind clock_{};
  bool failed_ = false;
};

// A step looked up once, for hot loops. start() costs two clock reads and a few additions: no lock, no system call, and
// no allocation after a thread's first use. (Durations that spread over a hundred buckets of 1 % within a tenth of a
// second, before the worker has made room for more, take memory and the journal's lock a few times.) Any number of
// threads may call start() at once, signal handlers may not. Does nothing once its run has ended.
class [[nodiscard]] StepTimer {
 public:
  // A running execution. Must not outlive every handle (Run, Step, StepTimer) of its run; ends on the thread that
  // started it.
  class [[nodiscard]] Scope {
   public:
    Scope(Scope&& other) noexcept;
    Scope& operator=(Scope&&) = delete;
    ~Scope() {
      if (cell_ != nullptr) end();
    }
    void fail() noexcept { failed_ = true; }

   private:
    friend class StepTimer;
    Scope() = default;
    void begin_first(internal::StepNode* node) noexcept;
    void begin_by_clock(const internal::StepNode* node, internal::ThreadCell* cell) noexcept;
    void end() noexcept;
    void end_by_clock() noexcept;
    internal::ThreadCell* cell_ = nullptr;  // null: does nothing
    std::uint64_t begin_ = 0;
    unsigned exceptions_ = 0;
    internal::ClockKind clock_{};
    bool failed_ = false;
  };

  StepTimer(StepTimer&&) noexcept;
  StepTimer& operator=(StepTimer&&) noexcept;
  ~StepTimer();
  Scope start() noexcept {
    Scope scope;
    begin(&scope);
    return scope;
  }

 private:
  friend class Run;
  friend class Step;
  void begin(Scope* scope) noexcept;
  StepTimer(std::shared_ptr<internal::RunState> run, internal::StepNode* node) noexcept;
  std::shared_ptr<internal::RunState> run_;
  internal::StepNode* node_ = nullptr;
};

// One execution of a job. Starts when made, ends with its scope. Used by one thread at a time, except count(),
// progress() and StepTimer::start(), which any thread may call.
class [[nodiscard]] Run {
 public:
  [[nodiscard]] explicit Run(std::string_view job, RunOptions options = {}) noexcept;
  // With a client of your own. A Run that outlives its client ends without effect.
  [[nodiscard]] Run(Client& client, std::string_view job, RunOptions options = {}) noexcept;
  Run(Run&& other) noexcept;
  Run& operator=(Run&& other) noexcept;  // ends the run held so far
  ~Run();

  Step step(std::string_view name) noexcept;
  StepTimer step_timer(std::string_view name) noexcept;
  Run& label(std::string_view key, std::string_view value) noexcept;  // text to text; the last value counts
  Run& count(std::string_view name, double delta = 1) noexcept;       // adds; not finite: ignored
  Run& progress(double fraction) noexcept;                            // 0 to 1, cut to that
  void fail(std::string_view message) noexcept;  // will end as failed; keeps the first message; the scope goes on
  void cancel() noexcept;                        // will end as canceled, unless it failed
  void exit_code(int code) noexcept;             // not 0: will end as failed
  // Past runs: will end as of then, and its duration is the difference to its start.
  void finish_at(WallTime finished_at) noexcept;
  void end() noexcept;                   // ends it before its scope does
  std::string_view id() const noexcept;  // UUID in text; empty if disabled or moved from

 private:
  std::shared_ptr<internal::RunState> state_;
  int exceptions_ = 0;
};

}  // namespace kleptometrics
