// The forwarder turned by hand, between a real store and committer and a centre that the test plays.
#include "aggregator/forward/forwarder.h"

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <thread>

#include "aggregator/model/forwarded.h"
#include "aggregator/store/sqlite/sqlite_store.h"
#include "tests/aggregator/model/full_run.h"
#include "tests/fakes/centre.h"
#include "tests/fakes/clock.h"
#include "tests/fakes/faulty_store.h"
#include "tests/fakes/runs.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace kleptometrics::aggregator {
namespace {

using fakes::finished;
using fakes::id_of;
using fakes::kStart;
using fakes::seconds;
using fakes::started;

struct Sidecar {
  fakes::FakeClock clock;
  fakes::Centre centre;
  tests::TempDir folder;
  std::unique_ptr<Store> store;
  std::unique_ptr<Committer> committer;
  std::unique_ptr<Forwarder> forwarder;
  Forwarder::Options options;
  std::function<std::unique_ptr<Transport>()> way = [this] { return std::make_unique<fakes::WayToCentre>(centre); };

  Sidecar() { open(); }
  ~Sidecar() { close(); }

  void open() {
    store = *open_store("sqlite:" + folder / "runs.db");
    REQUIRE(store->keep_changes().ok());
    committer = *Committer::create(*store, clock, {});
    forwarder = std::make_unique<Forwarder>(*store, *committer, clock, way(), "the centre", options);
    committer->start();
  }
  void close() {
    if (forwarder) forwarder->stop();
    if (committer) committer->stop();
    forwarder.reset();
    committer.reset();
    store.reset();
  }
  // As a kill -9 leaves it: whatever was in memory is gone.
  void reopen() {
    close();
    open();
  }

  void submit(Command command) {
    std::vector<Command> all;
    all.push_back(std::move(command));
    REQUIRE(committer->submit(std::move(all)).ok());
  }
  void commit(const std::vector<Run>& runs) {
    std::vector<Command> all;
    for (const Run& run : runs) all.emplace_back(ApplySnapshot{run});
    REQUIRE(committer->submit(std::move(all)).ok());
  }
  // Turns until nothing is to be done at once; how long there is to be waited, kIdle: nothing is left.
  Nanos turn() {
    for (;;) {
      const Nanos next = forwarder->turn_once();
      if (next == Forwarder::kIdle) return next;
      if (next > clock.steady) return next - clock.steady;
    }
  }
  // Turns, and lets the time pass that is to be waited, until nothing is left.
  void drain() {
    for (Nanos wait = turn(); wait != Forwarder::kIdle; wait = turn()) clock.advance(wait);
  }
  ForwardCounts counts() { return forwarder->counts(); }
};

std::vector<Run> series(std::uint32_t count, std::uint32_t first = 1, const std::string& job = "import") {
  std::vector<Run> runs;
  for (std::uint32_t i = first; i < first + count; ++i)
    runs.push_back(finished(started(job, i, kStart + seconds(i)), seconds(1 + i)));
  return runs;
}

Run passed_on(Run run) {
  mark_forwarded(run);
  return run;
}

std::map<Uuid, Run> stored_in(Store& store) {
  std::map<Uuid, Run> runs;
  REQUIRE(store.scan({}, [&](const Run& run) { runs.emplace(run.id, passed_on(run)); }).ok());
  return runs;
}

void require_equal(Sidecar& sidecar) {
  REQUIRE(stored_in(*sidecar.store) == stored_in(sidecar.centre.store));
  REQUIRE(sidecar.counts().waiting == 0);
}

constexpr char kBusy[] = "busy";
Reply answer(int status, const std::string& type = "text/html") { return {status, type, kBusy, {}}; }
Reply no_answer() { return {0, {}, {}, "connection refused"}; }

TEST_CASE("what is committed goes to the centre, whole, and then the list is empty") {
  Sidecar sidecar;
  REQUIRE(sidecar.turn() == Forwarder::kIdle);
  sidecar.commit({fakes::full_run(), started("import", 2)});
  PatchRun patch;
  patch.id = id_of(2);
  patch.labels = {{"ticket", "42"}};
  sidecar.submit(patch);
  REQUIRE(sidecar.turn() == Forwarder::kIdle);
  require_equal(sidecar);
  const Run run = **sidecar.centre.store.run(id_of(2));
  REQUIRE(run.annotations.labels.at("ticket") == "42");
  REQUIRE(*sidecar.centre.store.run(fakes::full_run().id) == passed_on(fakes::full_run()));
  REQUIRE(sidecar.counts().sent == 2);
  REQUIRE(sidecar.counts().last_success == sidecar.clock.wall);
  REQUIRE(sidecar.counts().failures == 0);
}

TEST_CASE("a snapshot that changed nothing is not sent, and what a job is meant to be stays here") {
  Sidecar sidecar;
  sidecar.commit(series(1));
  sidecar.drain();
  sidecar.commit(series(1));
  sidecar.submit(PutJob{"import", {.description = "ours"}});
  sidecar.drain();
  REQUIRE(sidecar.centre.pushes == std::vector<std::size_t>{1});
  REQUIRE(sidecar.counts().waiting == 0);
}

TEST_CASE("of several snapshots of a run in the backlog the last goes, in the order of the commits") {
  Sidecar sidecar;
  Run run = started("import", 1);
  sidecar.commit({run});
  sidecar.commit(series(1, 2));
  ++run.revision;
  sidecar.commit({run});
  sidecar.commit({finished(run, seconds(3))});
  sidecar.commit(series(1, 3));
  sidecar.drain();
  REQUIRE(sidecar.centre.pushes == std::vector<std::size_t>{3});
  REQUIRE(sidecar.centre.received[0].id == id_of(2));
  REQUIRE(sidecar.centre.received[1] == passed_on(finished(run, seconds(3))));
  REQUIRE(sidecar.centre.received[2].id == id_of(3));
  require_equal(sidecar);
}

TEST_CASE("a backlog goes in pushes that are within the limits, and is dropped as a whole") {
  Sidecar sidecar;
  sidecar.options = {.read_runs = 100, .push_runs_max = 30, .push_bytes_max = 4096};
  sidecar.reopen();
  for (std::uint32_t i = 0; i < 10; ++i) sidecar.commit(series(25, 1 + 25 * i));
  REQUIRE(sidecar.counts().waiting == 250);
  sidecar.drain();
  require_equal(sidecar);
  for (const std::size_t runs : sidecar.centre.pushes) REQUIRE(runs <= 30);
  for (const std::size_t bytes : sidecar.centre.bytes) REQUIRE(bytes <= 4096);
  REQUIRE(std::ranges::is_sorted(sidecar.centre.received, {}, &Run::id));
  REQUIRE(sidecar.centre.received.size() == 250);
}

TEST_CASE("while the centre does not take them runs wait, ever longer from one try to the next, and none is lost") {
  const Reply reply =
      GENERATE(no_answer(), answer(500), answer(502), answer(503), answer(401), answer(403), answer(404), answer(429),
               answer(400), answer(413), answer(200), answer(200, "application/x-protobuf"), answer(301));
  CAPTURE(reply.status);
  Sidecar sidecar;
  sidecar.commit(series(1));
  Nanos longest = 0;
  for (int i = 0; i < 12; ++i) {
    sidecar.centre.replies = {reply};
    const Nanos wait = sidecar.turn();
    REQUIRE(wait >= BackOff::kShortest);
    REQUIRE(wait <= BackOff::kLongest);
    REQUIRE(sidecar.turn() == wait);  // not before
    longest = std::max(longest, wait);
    sidecar.clock.advance(wait);
    sidecar.commit(series(1, 10 + static_cast<std::uint32_t>(i)));  // does not hasten it
  }
  REQUIRE(longest >= BackOff::kLongest / 2);
  REQUIRE(sidecar.counts().failures == 12);
  REQUIRE(sidecar.counts().last_success == 0);
  REQUIRE(sidecar.counts().waiting == 13);
  sidecar.drain();
  require_equal(sidecar);
  REQUIRE(sidecar.counts().rejected == 0);
  sidecar.centre.replies = {no_answer()};
  sidecar.commit(series(1, 100));
  REQUIRE(sidecar.turn() <= 2 * BackOff::kShortest);  // begins anew
}

TEST_CASE("an answer that got lost is asked for again, and counts nothing twice") {
  Sidecar sidecar;
  sidecar.commit(series(5));
  const auto push = wire::encode_push(series(5).data(), 5, 1 << 20);
  REQUIRE(sidecar.centre.post(push.body).status == 200);  // as if it had been ours
  sidecar.drain();
  REQUIRE(sidecar.counts().sent == 5);
  REQUIRE(sidecar.centre.store.runs({}, {}, 100)->runs.size() == 5);
}

TEST_CASE("a push that the centre finds too large goes in parts, and later ones grow again") {
  Sidecar sidecar;
  sidecar.centre.runs_max = 10;
  sidecar.commit(series(100));
  sidecar.drain();
  require_equal(sidecar);
  REQUIRE(sidecar.counts().failures == 0);
  REQUIRE(std::ranges::max(sidecar.centre.pushes) > 5);
  sidecar.centre.runs_max = 1000;
  sidecar.centre.pushes.clear();
  sidecar.commit(series(100, 1000));
  sidecar.drain();
  REQUIRE(std::ranges::max(sidecar.centre.pushes) > 20);
}

TEST_CASE("a run that makes every push of it impossible is passed over, counted, and holds up no other") {
  Sidecar sidecar;
  sidecar.commit(series(9));
  fakes::Centre& centre = sidecar.centre;
  // Whatever holds run 5 is refused whole.
  struct Way final : Transport {
    explicit Way(fakes::Centre& to) : centre(to) {}
    fakes::Centre& centre;
    Reply post(std::string body) override {
      const auto decoded = wire::decode_push(body);
      for (const wire::Decoded& each : *decoded)
        if (std::get<Run>(each).id == id_of(5)) return {400, fakes::kProblemType, "{}", {}};
      return centre.post(body);
    }
  };
  sidecar.way = [&] { return std::make_unique<Way>(centre); };
  sidecar.reopen();
  while (sidecar.forwarder->turn_once() != Forwarder::kIdle) {
  }
  REQUIRE(sidecar.counts().rejected == 1);
  REQUIRE(sidecar.counts().sent == 8);
  REQUIRE(sidecar.counts().failures == 0);
  REQUIRE(sidecar.counts().waiting == 0);
  REQUIRE(centre.store.runs({}, {}, 100)->runs.size() == 8);
}

TEST_CASE("what the centre will never take is counted and passed over") {
  Sidecar sidecar;
  sidecar.centre.refuse = [](const Run& run) -> std::optional<wire::Rejection> {
    if (run.id.bytes[15] % 2 != 0) return std::nullopt;
    return wire::Rejection{0, "started_at", "too early", false};
  };
  sidecar.commit(series(10));
  sidecar.drain();
  REQUIRE(sidecar.counts().rejected == 5);
  REQUIRE(sidecar.counts().sent == 5);
  REQUIRE(sidecar.counts().waiting == 0);
  REQUIRE(sidecar.centre.received.size() == 10);
}

TEST_CASE("what the centre cannot take for now comes again by itself, holds up no other, and outlives a restart") {
  Sidecar sidecar;
  bool full = true;
  sidecar.centre.refuse = [&](const Run& run) -> std::optional<wire::Rejection> {
    if (!full || run.job != "new") return std::nullopt;
    return wire::Rejection{0, "job", "too many", true};
  };
  sidecar.commit({series(1, 1)[0], series(1, 2, "new")[0], series(1, 3)[0]});
  const Nanos first = sidecar.turn();
  REQUIRE(first > 0);
  REQUIRE(first <= kNanosPerSecond);
  REQUIRE(sidecar.counts().sent == 2);
  REQUIRE(sidecar.counts().put_off == 1);
  REQUIRE(sidecar.counts().waiting == 1);
  Nanos longest = 0;
  for (int i = 0; i < 12; ++i) {
    const Nanos wait = sidecar.turn();
    REQUIRE(wait <= BackOff::kLongest);
    longest = std::max(longest, wait);
    sidecar.clock.advance(wait);
  }
  REQUIRE(longest >= BackOff::kLongest / 2);
  REQUIRE(sidecar.counts().rejected == 0);
  REQUIRE(sidecar.counts().failures == 0);

  if (GENERATE(false, true)) sidecar.reopen();
  sidecar.commit(series(1, 4));
  for (Nanos wait = sidecar.turn(); !sidecar.centre.store.run(id_of(4))->has_value(); wait = sidecar.turn())
    sidecar.clock.advance(wait);
  REQUIRE_FALSE(sidecar.centre.store.run(id_of(2))->has_value());
  full = false;
  sidecar.drain();
  require_equal(sidecar);
}

TEST_CASE("nothing is lost or doubled however often the sidecar is killed between two steps") {
  const auto seed = GENERATE(range(1U, 4U));
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  Sidecar sidecar;
  sidecar.options.read_runs = 7;
  sidecar.reopen();
  for (std::uint32_t i = 0; i < 40; ++i) {
    std::vector<Run> runs =
        series(static_cast<std::uint32_t>(1 + random() % 9), static_cast<std::uint32_t>(1 + random() % 30));
    for (Run& run : runs) run.revision = 1 + random() % 5;
    sidecar.commit(runs);
    if (random() % 3 == 0) sidecar.centre.replies = {answer(503)};
    for (auto turns = random() % 4; turns > 0; --turns) {
      const Nanos next = sidecar.forwarder->turn_once();
      if (next != Forwarder::kIdle && next > sidecar.clock.steady) sidecar.clock.advance(next - sidecar.clock.steady);
    }
    if (random() % 4 == 0) sidecar.reopen();
  }
  sidecar.drain();
  require_equal(sidecar);
}

TEST_CASE("what the committer could not drop is not sent again for that") {
  fakes::FakeClock clock;
  fakes::Centre centre;
  struct Stubborn final : fakes::ForwardingStore {
    bool refuses = true;
    absl::Status drop_changes(const std::string& upto) override {
      return refuses ? absl::UnavailableError("full") : inner->drop_changes(upto);
    }
  } store;
  REQUIRE(store.keep_changes().ok());
  const auto committer = *Committer::create(store, clock, {});
  Forwarder forwarder(store, *committer, clock, std::make_unique<fakes::WayToCentre>(centre), "it", {});
  committer->start();
  REQUIRE(committer->submit({ApplySnapshot{series(1)[0]}}).ok());
  for (int i = 0; i < 5; ++i) {
    const Nanos next = forwarder.turn_once();
    REQUIRE(next > clock.steady);
    clock.advance(next - clock.steady);
  }
  REQUIRE(centre.pushes.size() == 1);
  store.refuses = false;
  while (forwarder.turn_once() != Forwarder::kIdle) {
  }
  REQUIRE(centre.pushes.size() == 1);
  REQUIRE(store.changes(1)->items.empty());
  committer->stop();
}

TEST_CASE("the thread sends by itself what is committed, and what is left when it is told to end") {
  Sidecar sidecar;
  sidecar.commit(series(3));
  sidecar.forwarder->start();
  while (sidecar.counts().waiting != 0) std::this_thread::yield();
  sidecar.commit(series(3, 10));
  while (sidecar.counts().waiting != 0) std::this_thread::yield();
  sidecar.forwarder->stop();
  require_equal(sidecar);
}

TEST_CASE("while it waits for a centre that is away the thread ends at once, and what it had stays") {
  Sidecar sidecar;
  sidecar.centre.replies.assign(1000, no_answer());
  sidecar.commit(series(3));
  sidecar.forwarder->start();
  while (sidecar.counts().failures == 0) std::this_thread::yield();
  sidecar.forwarder->stop();
  REQUIRE(sidecar.counts().waiting == 3);
  sidecar.centre.replies.clear();
  sidecar.reopen();
  sidecar.drain();
  require_equal(sidecar);
}

TEST_CASE("a store that others commit to is not forwarded, nor is anything to what is no endpoint") {
  fakes::FakeClock clock;
  fakes::FaultyStore store;
  const auto committer = *Committer::create(store, clock, {});
  REQUIRE(absl::IsInvalidArgument(Forwarder::create(store, *committer, clock, {"nonsense"}).status()));
  store.is_shared = true;
  const auto shared = Forwarder::create(store, *committer, clock, {"http://centre:9461"});
  REQUIRE(absl::IsFailedPrecondition(shared.status()));
  REQUIRE(std::string(shared.status().message()).find("--forward") != std::string::npos);
  store.is_shared = false;
  REQUIRE(Forwarder::create(store, *committer, clock, {"http://centre:9461"}).ok());
  REQUIRE(store.commit(series(1), 0, {}).ok());
  REQUIRE(store.changes(10)->items.size() == 1);
}

}  // namespace
}  // namespace kleptometrics::aggregator
