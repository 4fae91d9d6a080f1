// A client whose clock, aggregator and worker are in the test's hands.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "kleptometrics/kleptometrics.h"
#include "lib/src/client_access.h"
#include "lib/src/client_state.h"
#include "tests/fakes/clock.h"
#include "tests/fakes/transport.h"
#include "tests/support/temp_dir.h"

namespace kleptometrics::tests {

struct ClientFixture {
  TempDir spool;
  fakes::FakeClock clock;
  fakes::FakeTransport* aggregator = nullptr;  // owned by the client
  std::shared_ptr<internal::ClientState> state;
  std::unique_ptr<Client> client;

  explicit ClientFixture(ClientOptions options = {}) {
    auto transport = std::make_unique<fakes::FakeTransport>();
    aggregator = transport.get();
    options.endpoint = "unix:/nowhere";
    if (options.spool_dir.empty()) options.spool_dir = spool.path();
    state = internal::ClientState::open(std::move(options), {&clock, std::move(transport), false});
    client = std::make_unique<Client>(internal::ClientAccess::make(state));
  }

  void ship() { state->turn(true); }
  // The snapshot that the aggregator got last.
  const fakes::PushedRun& last() const { return aggregator->runs.back(); }
  const fakes::PushedRun& shipped() {
    ship();
    return last();
  }
};

}  // namespace kleptometrics::tests
