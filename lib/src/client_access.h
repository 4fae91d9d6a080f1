// The back door of tests: a Client over a state with its seams replaced.
#pragma once

#include <memory>
#include <utility>

#include "kleptometrics/kleptometrics.h"
#include "lib/src/client_state.h"

namespace kleptometrics::internal {

struct ClientAccess {
  static Client make(std::shared_ptr<ClientState> state) { return Client(std::move(state)); }
};

}  // namespace kleptometrics::internal
