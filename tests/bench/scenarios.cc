#include "tests/bench/scenarios.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

#include "lib/base/clock.h"
#include "tests/bench/floor.h"
#include "tests/bench/killer.h"
#include "tests/bench/machine.h"
#include "tests/bench/postgres.h"

namespace kleptometrics::bench {
namespace {

constexpr std::uint64_t kMarkRuns = 1'000'000;    // a part of a long load; of a short one it is a tenth
constexpr std::uint64_t kSingleRuns = 2'000'000;  // more than any connection sends in its seconds

std::uint64_t part_of(std::uint64_t runs) { return std::clamp<std::uint64_t>(runs / 10, 1, kMarkRuns); }

void wait(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

std::string text_of(std::uint64_t runs) {
  std::string text = std::to_string(runs);
  for (std::size_t at = text.size(); at > 3; text.insert(at, ",")) at -= 3;
  return text + " runs";
}

}  // namespace

History Scenarios::history_of(std::uint64_t runs) const {
  HistoryOptions options;
  options.runs = runs;
  options.seed = settings_.seed;
  options.days = settings_.days;
  return History(options);
}

http::Endpoint Scenarios::endpoint_of(const tests::Daemon& daemon) const {
  return *http::parse_endpoint(settings_.tcp ? "http://" + daemon.listen() : daemon.endpoint());
}

LoadOptions Scenarios::load_options(const tests::Daemon& daemon, const Part& part) const {
  LoadOptions options;
  options.endpoint = endpoint_of(daemon);
  options.connections = settings_.connections;
  options.batch = settings_.batch;
  options.encode = part.encode;
  options.mark_every = part_of(part.last - part.first);
  return options;
}

LoadResult Scenarios::load(tests::Daemon& daemon, const History& history, const Part& part, Tally& tally) {
  const LoadOptions options = load_options(daemon, part);
  const Floor before = measure_floor(history, settings_.batch, daemon.dir().path(), settings_.floor_seconds);
  Stream stream(history, part.stream, part.first, part.last);
  MemoryWatch memory(daemon.pid());
  LoadResult result = Load(history, options).run(stream);
  const double most = memory.stop();
  const Floor after = measure_floor(history, settings_.batch, daemon.dir().path(), settings_.floor_seconds);
  report_.load(result, options.mark_every);
  report_.against_floor(result, before, after);
  wait(settings_.idle_seconds);
  report_.line("resident MiB, most during the load", "%.1f", most);
  report_.line("resident MiB, idle after it", "%.1f", resident_mib(daemon.pid()));
  report_.check(result.error.empty(), result.error);
  const std::uint64_t known = tally.runs();
  tally.add(part.stream, part.first, part.last);
  report_.check(result.accepted == tally.runs() - known,
                "accepted is " + std::to_string(result.accepted) + ", not " + std::to_string(tally.runs() - known));
  report_.check(result.duplicates == stream.sent_again() || result.retries != 0,
                "duplicates is " + std::to_string(result.duplicates) + ", not " + std::to_string(stream.sent_again()));
  return result;
}

std::vector<Timing> Scenarios::ask(tests::Daemon& daemon, const History& history, std::uint64_t runs) {
  Asker asker(endpoint_of(daemon));
  return bench::ask(asker, questions_about(history, runs), settings_.requests);
}

void Scenarios::verify_store(const std::string& url) {
  if (tests::run_program({settings_.program, "--help"}).output.find("--verify_store") == std::string::npos) {
    report_.line("rollups equal to a recount", "not asked: this kleptometricsd has no --verify_store");
    return;
  }
  const Nanos begin = system_steady();
  const tests::Ended ended = tests::run_program({settings_.program, "--verify_store", "--store=" + url}, {}, 600);
  report_.line("rollups equal to a recount", "%s (%.1f s)", ended.exit_code == 0 ? "yes" : "NO",
               static_cast<double>(system_steady() - begin) / 1e9);
  report_.check(ended.exit_code == 0, "--verify_store says: " + ended.output);
}

void Scenarios::end(tests::Daemon& daemon, const Tally& tally) {
  Asker asker(endpoint_of(daemon));
  const std::vector<std::string> differences = tally.compare(asker);
  for (const std::string& difference : differences) report_.check(false, difference);
  if (differences.empty())
    report_.line("statistics of all jobs equal to what was sent", "yes (%llu runs)",
                 static_cast<unsigned long long>(tally.runs()));
  const Nanos begin = system_steady();
  report_.check(daemon.terminate() == 0, "kleptometricsd did not end cleanly: " + daemon.log());
  report_.line("stopped in", "%.2f s", static_cast<double>(system_steady() - begin) / 1e9);
}

void Scenarios::finish(tests::Daemon& daemon, const Tally& tally) {
  end(daemon, tally);
  report_.line("bytes a run on disk", "%.1f",
               static_cast<double>(bytes_of_files(daemon.dir().path(), "runs.db")) / static_cast<double>(tally.runs()));
  verify_store("sqlite:" + daemon.dir() / "runs.db");
}

void Scenarios::play(const std::string& title, const StreamOptions& stream, const EncodeOptions& encode) {
  const History history = history_of(few_runs());
  report_.title(title + ", " + text_of(few_runs()));
  tests::Daemon daemon({}, {settings_.program});
  Tally tally(history);
  load(daemon, history, {stream, encode, 0, few_runs()}, tally);
  finish(daemon, tally);
}

std::vector<Timing> Scenarios::load_and_ask(std::uint64_t runs) {
  const History history = history_of(runs);
  report_.title("plain load, " + text_of(runs));
  tests::Daemon daemon({}, {settings_.program});
  Tally tally(history);
  load(daemon, history, {{}, {}, 0, runs}, tally);
  const std::vector<Timing> timings = ask(daemon, history, runs);
  report_.questions(timings);
  finish(daemon, tally);
  return timings;
}

void Scenarios::plain() { load_and_ask(settings_.runs); }

void Scenarios::measures() {
  EncodeOptions encode;
  encode.measures = true;
  play("every measure", {}, encode);
}

void Scenarios::resends() {
  StreamOptions stream;
  stream.resend_percent = settings_.resend_percent;
  play(std::to_string(stream.resend_percent) + " % sent again", stream, {});
}

void Scenarios::late() {
  StreamOptions stream;
  stream.late_percent = settings_.late_percent;
  play(std::to_string(stream.late_percent) + " % three days late", stream, {});
}

double Scenarios::single_rate(unsigned connections) {
  const History history = history_of(kSingleRuns);
  tests::Daemon daemon({}, {settings_.program});
  LoadOptions options = load_options(daemon, {{}, {}, 0, kSingleRuns});
  options.connections = connections;
  options.batch = 1;
  options.mark_every = 0;
  options.seconds_max = settings_.single_seconds;
  Stream stream(history, {});
  const LoadResult result = Load(history, options).run(stream);
  report_.check(result.error.empty(), result.error);
  report_.line("runs a second, a run a request", "%.0f on %u connections", result.rate(), connections);
  // Requests are taken in order and all that were taken are acknowledged.
  Tally tally(history);
  tally.add({}, 0, result.accepted);
  Asker asker(endpoint_of(daemon));
  for (const std::string& difference : tally.compare(asker)) report_.check(false, difference);
  return result.rate();
}

void Scenarios::singles() {
  report_.title("single runs");
  const double one = single_rate(1);
  const double many = single_rate(settings_.many_connections);
  report_.line("many connections against one", "%.2f (at least 4)", many / one);
}

void Scenarios::ndjson() {
  const History history = history_of(few_runs());
  report_.title("NDJSON, at most " + text_of(few_runs()));
  tests::Daemon daemon({}, {settings_.program});
  LoadOptions options = load_options(daemon, {{}, {Form::kNdjson, false}, 0, few_runs()});
  options.seconds_max = settings_.ndjson_seconds;
  Stream stream(history, {});
  const LoadResult result = Load(history, options).run(stream);
  report_.check(result.error.empty(), result.error);
  report_.load(result, options.mark_every);
  Tally tally(history);
  tally.add({}, 0, result.accepted);
  finish(daemon, tally);
}

void Scenarios::kill() {
  const History history = history_of(few_runs());
  report_.title("killed " + std::to_string(settings_.kills) + " times, " + text_of(few_runs()));
  tests::Daemon daemon({}, {settings_.program});
  const Part part{{}, {}, 0, few_runs()};
  LoadOptions options = load_options(daemon, part);
  options.endpoint = *http::parse_endpoint(daemon.endpoint());  // a port would be another one after every start
  Load load(history, options);
  Stream stream(history, part.stream);
  Killer killer(daemon, load, few_runs(), settings_.kills, settings_.seed);
  const LoadResult result = load.run(stream);
  const Killer::Result kills = killer.stop();
  report_.load(result, options.mark_every);
  report_.line("kills", "%u, slowest start after one %.2f s", kills.kills, kills.slowest_start_seconds);
  report_.check(kills.error.empty(), kills.error);
  if (!report_.check(result.error.empty(), result.error) || !kills.error.empty()) return;
  report_.check(result.accepted + result.duplicates >= few_runs(), "runs are missing in the answers");
  Tally tally(history);
  tally.add(part.stream, 0, few_runs());
  finish(daemon, tally);
}

void Scenarios::postgres() {
  const std::string programs = Postgres::programs();
  if (programs.empty()) {
    report_.title("PostgreSQL: SKIPPED, it is not installed");
    return;
  }
  const std::uint64_t runs = few_runs();
  const History history = history_of(runs);
  const std::vector<Question> questions = questions_about(history, runs);
  report_.title("PostgreSQL (" + programs + ", shared_buffers=512MB, max_wal_size=4GB), " + text_of(runs));
  Postgres server(programs);
  const double copied = server.copy(history, runs, settings_.batch, settings_.connections);
  report_.line("COPY, runs a second", "%.0f (%zu a transaction, %u connections)", copied, settings_.batch,
               settings_.connections);
  report_.line("bytes a run on disk", "%.1f", server.bytes_on_disk() / static_cast<double>(runs));
  server.settle();
  const std::vector<double> medians = server.ask(questions, settings_.requests);

  report_.title("kleptometricsd on the same PostgreSQL, " + text_of(runs));
  std::vector<Timing> on_postgres;
  {
    const std::string url = server.fresh_store("kleptometrics");
    tests::Daemon daemon({"--store=" + url}, {settings_.program});
    Tally tally(history);
    const LoadResult result = load(daemon, history, {{}, {}, 0, runs}, tally);
    report_.line("of COPY", "%.3f (at least 0.25)", result.rate() / copied);
    on_postgres = ask(daemon, history, runs);
    report_.questions(on_postgres, medians, "SQL");
    end(daemon, tally);
    report_.line("bytes a run on disk", "%.1f", server.bytes_of("kleptometrics") / static_cast<double>(runs));
    verify_store(url);
  }

  report_.title("kleptometricsd with SQLite beside it, " + text_of(runs));
  tests::Daemon daemon({}, {settings_.program});
  Tally tally(history);
  load(daemon, history, {{}, {}, 0, runs}, tally);
  const std::vector<Timing> on_sqlite = ask(daemon, history, runs);
  report_.questions(on_sqlite, medians, "SQL");
  finish(daemon, tally);

  report_.title("the same questions, through us");
  report_.beside(on_sqlite, "SQLITE", on_postgres, "POSTGRESQL", 3);
}

void Scenarios::growth_afresh(std::uint64_t few) {
  const std::vector<Timing> before = load_and_ask(few);
  const std::vector<Timing> after = load_and_ask(settings_.runs);
  report_.title("growth from " + text_of(few) + " to " + text_of(settings_.runs) + " in as many days");
  report_.growth(before, after);
}

void Scenarios::growth_on(std::uint64_t few) {
  const History history = history_of(settings_.runs);
  report_.title("plain load, the first " + text_of(few));
  tests::Daemon daemon({}, {settings_.program});
  Tally tally(history);
  load(daemon, history, {{}, {}, 0, few}, tally);
  const std::vector<Timing> before = ask(daemon, history, few);
  report_.questions(before);
  report_.title("goes on to " + text_of(settings_.runs));
  load(daemon, history, {{}, {}, few, settings_.runs}, tally);
  const std::vector<Timing> after = ask(daemon, history, settings_.runs);
  report_.questions(after);
  finish(daemon, tally);
  report_.title("growth from " + text_of(few) + " to " + text_of(settings_.runs));
  report_.growth(before, after);
}

}  // namespace kleptometrics::bench
