#include "aggregator/forward/courier.h"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "lib/base/mutex.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator {
namespace {

// Outlives whoever gave up, as a peer on the network does.
struct Gate {
  Mutex mutex;
  Condition changed;
  bool open KLEPTO_GUARDED_BY(mutex) = true;
  std::atomic<int> waiting{0};

  void set(bool to) {
    const Lock lock(mutex);
    open = to;
    changed.notify_all();
  }
  void pass() {
    const Lock lock(mutex);
    ++waiting;
    while (!open) changed.wait(mutex);
  }
};

struct Echo final : Transport {
  explicit Echo(std::shared_ptr<Gate> its) : gate(std::move(its)) {}
  std::shared_ptr<Gate> gate;
  Reply post(std::string body) override {
    gate->pass();
    return {200, {}, std::move(body), {}};
  }
};

TEST_CASE("answers come back one after the other") {
  Courier courier(std::make_unique<Echo>(std::make_shared<Gate>()));
  for (int i = 0; i < 100; ++i) REQUIRE(courier.post(std::to_string(i)).body == std::to_string(i));
}

TEST_CASE("who waits for a peer that does not answer can leave, and is not waited for") {
  const auto gate = std::make_shared<Gate>();
  gate->set(false);
  auto courier = std::make_unique<Courier>(std::make_unique<Echo>(gate));
  Reply reply{200, {}, {}, {}};
  std::thread waiting([&] { reply = courier->post("a"); });
  while (gate->waiting == 0) std::this_thread::yield();
  courier->give_up();
  waiting.join();
  REQUIRE(reply.status == 0);
  REQUIRE(courier->post("b").status == 0);
  courier.reset();
  gate->set(true);  // the peer answers after all; nobody is there to hear it
}

}  // namespace
}  // namespace kleptometrics::aggregator
