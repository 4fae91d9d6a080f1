// What exists once a process: the clients that are alive, the process-wide one, and the hook at exit. A forked child
// begins anew and takes no lock of its parent's.
#pragma once

#include <memory>

#include "kleptometrics/kleptometrics.h"

namespace kleptometrics::internal {

// To be called before the first client does anything: sees forks, exit and the ends of threads, keeps this code
// loaded.
void prepare_process() noexcept;

// Likewise, and after that, before the first client that reports over TLS.
void prepare_tls() noexcept;

// Clients whose runs are to be ended when the process exits.
void remember_client(const std::shared_ptr<ClientState>& client);

}  // namespace kleptometrics::internal
