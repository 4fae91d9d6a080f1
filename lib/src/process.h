// What exists once a process: the clients that are alive, the process-wide one, the hook at exit, and the generation
// that tells a forked child from its parent. Nothing here takes a lock on the way through fork().
#pragma once

#include <cstdint>
#include <memory>

#include "kleptometrics/kleptometrics.h"

namespace kleptometrics::internal {

// Differs between a process and the children it forks.
std::uint64_t fork_generation() noexcept;

// To be called before the first client does anything: hooks fork and exit, keeps this code loaded.
void prepare_process() noexcept;

// Clients whose runs are to be ended when the process exits.
void remember_client(const std::shared_ptr<ClientState>& client);

}  // namespace kleptometrics::internal
