// A seeded random walk through every call of the interface, compared with a model too simple to be wrong.
#include <algorithm>
#include <map>
#include <random>

#include "tests/aggregator/store/fixture.h"

namespace kleptometrics::aggregator {
namespace {

using fakes::id_of;
using fakes::kStart;
using fakes::seconds;
using fakes::started;

// What a store is, without indexes: the newest snapshot of each id.
struct Model {
  std::map<Uuid, Run> runs;

  Applied apply(const Run& run) {
    const auto [stored, added] = runs.try_emplace(run.id, run);
    if (added) return Applied::kAccepted;
    if (stored->second.job != run.job) return Applied::kOtherJob;
    if (stored->second.started_at != run.started_at) return Applied::kOtherStart;
    if (!supersedes(run, wire::encode_run(run), stored->second, wire::encode_run(stored->second))) {
      return Applied::kDuplicate;
    }
    stored->second = run;
    return Applied::kAccepted;
  }
  std::vector<Run> list(const RunFilter& filter) const {
    std::vector<Run> all;
    for (const auto& [id, run] : runs) {
      if (matches(filter, run)) all.push_back(run);
    }
    std::ranges::sort(all, [](const Run& a, const Run& b) {
      return std::make_pair(a.started_at, a.id) > std::make_pair(b.started_at, b.id);
    });
    return all;
  }
  std::vector<std::string> jobs() const {
    std::vector<std::string> names;
    for (const auto& [id, run] : runs) names.push_back(run.job);
    std::ranges::sort(names);
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
  }
};

class Walk {
 public:
  explicit Walk(std::uint32_t seed) : random_(seed) {}

  std::vector<Run> batch() {
    std::vector<Run> runs(below(12));
    for (Run& run : runs) run = any_run();
    return runs;
  }
  RunFilter filter() {
    RunFilter filter;
    if (one_in(2)) filter.job = job();
    for (std::uint32_t i = below(4); i > 0 && one_in(2); --i) filter.states.push_back(state());
    if (one_in(3)) filter.since = start();
    if (one_in(3)) filter.until = start();
    if (one_in(4)) filter.host = host();
    if (one_in(5)) filter.labels = {{"host", host()}};
    return filter;
  }
  Uuid id() { return id_of(below(60)); }
  std::uint32_t below(std::uint32_t end) { return static_cast<std::uint32_t>(random_() % end); }
  bool one_in(std::uint32_t n) { return below(n) == 0; }

 private:
  // Snapshots of few ids, few revisions and few starts, so that all of them meet. An id decides job and
  // start, but for a few that lie.
  Run any_run() {
    const std::uint32_t number = below(60);
    Run run = started("job" + std::to_string(number % 4), number, kStart + seconds(number % 10));
    if (one_in(20)) run.job = job();
    if (one_in(20)) run.started_at = start();
    run.revision = 1 + below(4);
    run.state = state();
    if (terminal(run.state)) run.duration = seconds(1 + below(3));
    run.verdict = run.state == State::kCrashed && one_in(2);
    run.host = host();
    run.labels["host"] = host();
    return run;
  }
  std::string job() { return "job" + std::to_string(below(5)); }
  std::string host() { return "h" + std::to_string(below(3)); }
  State state() { return static_cast<State>(1 + below(5)); }
  Nanos start() { return kStart + seconds(below(11)); }

  std::mt19937 random_;
};

void compare(Shop& shop, const Model& model, Walk& walk) {
  const RunFilter filter = walk.filter();
  const std::vector<Run> expected = model.list(filter);
  REQUIRE(shop.list(filter, 1 + walk.below(9)) == expected);
  REQUIRE(shop.scan(filter) == expected);
  const Uuid id = walk.id();
  const auto known = model.runs.find(id);
  REQUIRE(shop.bytes(id) == (known == model.runs.end() ? "" : wire::encode_run(known->second)));
}

TEST_CASE("a random walk leaves every store as it leaves the model") {
  const std::uint32_t seed = GENERATE(range(1U, 7U));
  CAPTURE(seed);
  Shop shop(GENERATE(from_range(kinds())));
  Walk walk(seed);
  Model model;
  for (int step = 0; step < 150; ++step) {
    const std::vector<Run> batch = walk.batch();
    std::vector<Applied> expected;
    for (const Run& run : batch) expected.push_back(model.apply(run));
    REQUIRE(shop.commit(batch) == expected);
    compare(shop, model, walk);
    if (walk.one_in(30)) shop.reopen();
  }
  REQUIRE(shop.jobs() == model.jobs());
  for (const auto& [id, run] : model.runs) REQUIRE(shop.bytes(id) == wire::encode_run(run));
}

}  // namespace
}  // namespace kleptometrics::aggregator
